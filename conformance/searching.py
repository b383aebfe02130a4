"""What the suites about searches share: keys filled in from the archive, and which studies were found."""

from conformance.archive import Archive
from conformance.service import DicomJson, Service, value


def fill(text: str, archive: Archive) -> str:
    """A key's text with the identifiers of this run."""
    one = archive.ct[0]
    return text.format(run=archive.run, study=one.study, series=one.series, instance=one.instance)


def studies(service: Service, archive: Archive, **keys: str) -> set[str]:
    """Studies of the person with two studies that match."""
    found = service.search("/studies", {"PatientID": archive.patient_id, **keys})
    return names(found, archive)


def names(found: list[DicomJson], archive: Archive) -> set[str]:
    """The same of what was found already."""
    known = {archive.ct[0].study: "first", archive.second.study: "second"}
    return {known.get(value(one, "0020000D"), "other") for one in found}
