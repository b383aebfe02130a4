"""De-identification options: the Basic Profile's options by name (PS3.15 §E.3) with their codes (PS3.16 CID 7050)."""

from enum import Enum

from dicomweb_server.errors import Reason, ServerError

BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")


class Option(Enum):
    """An option, its code in the table of attributes, its coded meaning."""

    RETAIN_SAFE_PRIVATE = ("RetainSafePrivate", "retain_safe_private", "113111", "Retain Safe Private Option")
    RETAIN_UIDS = ("RetainUIDs", "retain_uids", "113110", "Retain UIDs Option")
    RETAIN_DEVICE_IDENTITY = (
        "RetainDeviceIdentity",
        "retain_device_identity",
        "113109",
        "Retain Device Identity Option",
    )
    RETAIN_INSTITUTION_IDENTITY = (
        "RetainInstitutionIdentity",
        "retain_institution_identity",
        "113112",
        "Retain Institution Identity Option",
    )
    RETAIN_PATIENT_CHARACTERISTICS = (
        "RetainPatientCharacteristics",
        "retain_patient_characteristics",
        "113108",
        "Retain Patient Characteristics Option",
    )
    RETAIN_FULL_DATES = (
        "RetainLongitudinalFullDates",
        "retain_longitudinal_full_dates",
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    )
    RETAIN_MODIFIED_DATES = (
        "RetainLongitudinalModifiedDates",
        "retain_longitudinal_modified_dates",
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    )
    CLEAN_DESCRIPTORS = ("CleanDescriptors", "clean_descriptors", "113105", "Clean Descriptors Option")
    CLEAN_STRUCTURED_CONTENT = (
        "CleanStructuredContent",
        "clean_structured_content",
        "113104",
        "Clean Structured Content Option",
    )
    CLEAN_GRAPHICS = ("CleanGraphics", "clean_graphics", "113103", "Clean Graphics Option")
    CLEAN_PIXEL_DATA = ("CleanPixelData", "", "113101", "Clean Pixel Data Option")

    def __init__(self, label: str, column: str, code: str, meaning: str) -> None:
        self.label = label
        self.column = column
        self.code = code
        self.meaning = meaning


_BY_LABEL = {option.label.lower(): option for option in Option}


def options_named(names: object) -> frozenset[Option]:
    """The options of a request; ServerError(BAD_REQUEST) for unknown ones and such that contradict each other."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ServerError(Reason.BAD_REQUEST, '"Options" should be an array of names of PS3.15 options')
    unknown = [name for name in names if name.lower() not in _BY_LABEL]
    if unknown:
        known = ", ".join(option.label for option in Option)
        raise ServerError(Reason.BAD_REQUEST, f"unknown option {ascii(unknown[0])[:60]}: expected one of {known}")
    options = frozenset(_BY_LABEL[name.lower()] for name in names)
    if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= options:
        problem = f"{Option.RETAIN_FULL_DATES.label} and {Option.RETAIN_MODIFIED_DATES.label} contradict each other"
        raise ServerError(Reason.BAD_REQUEST, problem)
    return options
