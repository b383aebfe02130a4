"""SQL finds what `dicom.matching` says, whatever is stored and asked."""

from dataclasses import replace
from typing import Any

import orjson
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import ServerError
from dicomweb_server.storage.query_sql import find
from tests.unit.storage.query_store import UID_TAG, Made, Pairs, ask, make, stored, uids


def computed(instances: list[Made]) -> list[dict[str, Any]]:
    """The data sets with what an index computes."""
    documents = [made.document for made in instances]
    for document in documents:
        of_study = [other for other in documents if other["0020000D"] == document["0020000D"]]
        series = {other["0020000E"]["Value"][0] for other in of_study}
        modalities = {value for other in of_study for value in other.get("00080060", {}).get("Value", ()) if value}
        own = sum(other["0020000E"] == document["0020000E"] for other in of_study)
        document["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
        document["00080061"] = {"vr": "CS", "Value": sorted(modalities)}
        document["00080062"] = {"vr": "UI", "Value": sorted({other["00080016"]["Value"][0] for other in of_study})}
        document["00083002"] = {"vr": "UI", "Value": ["1.2.1"]}
        document["00201206"] = {"vr": "IS", "Value": [len(series)]}
        document["00201208"] = {"vr": "IS", "Value": [len(of_study)]}
        document["00201209"] = {"vr": "IS", "Value": [own]}
    return documents


# What is stored, and what is asked for, is drawn from the same few values, so that they meet.
_NAMES = [
    *("", "Smith^John", "SMITH^JOHN^^", "smith", "Müller^Jörg", "Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田^太郎"),
    *("Smith^John\\Doe^Jane", "O'Neil-Smith^A%_", "Doe^J^", "Abe=阿部\\Abe^B"),
]
_TEXTS = ["", "a", "A", "ab", "a b", "a%b", "a_b", "[ab]", "a\\b", "b\\ab ", "é", "a'b\"c", "CT", "ab\\", "0"]
_DATES = ["", "20200101", "20200102", "20210101", "1998.01.28", "20200101\\20210101", "2020", "junk"]
_TIMES = ["", "10", "1010", "101010.5", "10:10", "235959.999999", "10\\12", "0"]
_NUMBERS = ["", "1", "02", "2", "2\\3", "1.5", "x", "+1"]
_MODALITIES = ["", "CT", "MR", "CT\\PT", "ct"]
_STEPS = ["", "S1", "S2"]

_NAME_KEYS = [
    "smith*",
    "SMITH^JOHN",
    "*山田*",
    "*^太郎",
    "yamada*=山田*",
    "m?ller*",
    "*john",
    "doe^j",
    "o'neil*",
    "sm jo",
    "*%_",
]
_TEXT_KEYS = [
    "a*",
    "*b",
    "*b*",
    "?",
    "a?b",
    "a_b",
    "a%*",
    "[ab]",
    "[a]*",
    "*",
    "a\\b",
    "a,ab",
    "é",
    "a*b",
    '""',
    "*a*b*",
    "C?",
]
_DATE_KEYS = ["20200101-", "-20200101", "20200101-20201231", "19980128", "19980101-19981231", '""']
_TIME_KEYS = ["10", "1010", "10-12", "-10", "1011-", "101010.5", "0001-"]
_NUMBER_KEYS = ["1", "2", "3", "99999999999999999999", '""', "1,2"]


@st.composite
def stores(draw: st.DrawFn) -> list[Made]:
    patients = [
        {"PatientID": f"{draw(st.sampled_from(_TEXTS))}{n}", "PatientName": draw(st.sampled_from(_NAMES))}
        for n in range(draw(st.integers(1, 3)))
    ]
    found = []
    for study in range(draw(st.integers(1, 4))):
        of_study = {
            **draw(st.sampled_from(patients)),
            "StudyDate": draw(st.sampled_from(_DATES)),
            "StudyTime": draw(st.sampled_from(_TIMES)),
            "AccessionNumber": draw(st.sampled_from(_TEXTS)),
            "TimezoneOffsetFromUTC": draw(st.sampled_from(["", "", "+0100", "-1000", "+0530", "CET"])),
        }
        for series in range(draw(st.integers(1, 3))):
            of_series = {
                "Modality": draw(st.sampled_from(_MODALITIES)),
                "SeriesNumber": draw(st.sampled_from(_NUMBERS)),
                "OperatorsName": draw(st.sampled_from(_NAMES)),
                "SeriesDescription": draw(st.sampled_from(_TEXTS)),
                "RequestAttributesSequence": draw(_requests()),
            }
            others = draw(_others())
            for instance in range(draw(st.integers(1, 3))):
                of_instance = {
                    "InstanceNumber": draw(st.sampled_from(_NUMBERS)),
                    "ContentDate": draw(st.sampled_from(_DATES)),
                    "SOPClassUID": draw(st.sampled_from(["1.2.3", "1.2.4"])),
                }
                texts = of_study | of_series | of_instance
                found.append(make(f"1.{study}", str(series), str(instance), others=others, **texts))
    return found


@st.composite
def _requests(draw: st.DrawFn) -> str:
    items = [
        {
            "00400009": {"vr": "SH", "Value": [draw(st.sampled_from(_STEPS))]},
            "00401001": {"vr": "SH", "Value": [draw(st.sampled_from(_STEPS))]},
            "00400007": {"vr": "LO", "Value": [draw(st.sampled_from(_TEXTS))]},
        }
        for _ in range(draw(st.integers(0, 2)))
    ]
    return orjson.dumps(items).decode() if items else ""


@st.composite
def _others(draw: st.DrawFn) -> dict[str, Any]:
    """Attributes that are not indexed."""
    code = {"00080100": {"vr": "SH", "Value": [draw(st.sampled_from(["a", "b"]))]}}
    private = draw(st.sampled_from(["ACME", "OTHER"]))
    return {
        "00081032": {"vr": "SQ", "Value": [code]},
        "00180050": {"vr": "DS", "Value": [draw(st.sampled_from([1, 1.5, 2]))]},
        "00090010": {"vr": "LO", "Value": [private]},
        "00091001": {"vr": "LO", "Value": [draw(st.sampled_from(["a", "b"]))]},
    }


_KEYS = {
    "PatientName": _NAMES + _NAME_KEYS,
    "OperatorsName": _NAMES + _NAME_KEYS,
    "PatientID": [*(text + "0" for text in _TEXTS), *_TEXT_KEYS],
    "AccessionNumber": _TEXTS + _TEXT_KEYS,
    "SeriesDescription": _TEXTS + _TEXT_KEYS,
    "StudyDate": _DATES + _DATE_KEYS,
    "ContentDate": _DATES + _DATE_KEYS,
    "StudyTime": _TIMES + _TIME_KEYS,
    "SeriesNumber": _NUMBERS + _NUMBER_KEYS,
    "InstanceNumber": _NUMBERS + _NUMBER_KEYS,
    "Modality": [*_MODALITIES, "C*", '""', "CT,MR"],
    "ModalitiesInStudy": [*_MODALITIES, "C?", '""', "MR,PT", "*T*"],
    "SOPClassUID": ["1.2.3", "1.2.4,1.2.5", '""'],
    "SOPClassesInStudy": ["1.2.3", "1.2.4,1.2.5"],
    "StudyInstanceUID": ["1.0", "1.1,1.2"],
    "SOPInstanceUID": ["1.0.0.0", "1.1.0.0,1.0.1.1"],
    "NumberOfStudyRelatedInstances": ["1", "3"],
    "NumberOfSeriesRelatedInstances": ["1", "2"],
    "InstanceAvailability": ["ONLINE", "OFF*"],
    "AvailableTransferSyntaxUID": ["1.2.1", "1.2.2"],
    "RequestAttributesSequence": ["", '""'],
    "RequestAttributesSequence.ScheduledProcedureStepID": [*_STEPS, "S*", '""'],
    "RequestAttributesSequence.RequestedProcedureID": [*_STEPS, "?2"],
    "RequestAttributesSequence.ScheduledProcedureStepDescription": _TEXTS,
    "ProcedureCodeSequence.CodeValue": ["a", "*", "[b]"],
    "SliceThickness": ["1", "1.50", '""'],
    "00093301": ["a", "b", "*"],
}
_OPTIONS = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching", "combineddatetime")


@st.composite
def questions(draw: st.DrawFn) -> Pairs:
    names = draw(st.lists(st.sampled_from(sorted(_KEYS)), max_size=3, unique=True))
    pairs = [(name, draw(st.sampled_from(_KEYS[name]))) for name in names]
    if "00093301" in names:
        pairs.append(("00090033", draw(st.sampled_from(["ACME", "OTHER"]))))
    pairs += [(option, draw(st.sampled_from(["true", "false"]))) for option in _OPTIONS]
    return tuple(pairs)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stores(),
    st.lists(st.tuples(st.sampled_from(Level), questions()), min_size=5, max_size=15),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_sql_agrees_with_the_matcher(
    instances: list[Made], asked: list[tuple[Level, Pairs]], limit: int, offset: int
) -> None:
    documents = computed(instances)
    with stored(instances) as connection:
        for level, pairs in asked:
            try:
                query = search_request(level, pairs).query
            except ServerError:
                continue
            if level is Level.PATIENT:
                # Counts and lists of a study are not attributes of its patient's answer, but they do match.
                assume(not any("InStudy" in name for name, _ in pairs))
            tag = UID_TAG[level]
            expected = {"\\".join(d[tag].get("Value") or [""]) for d in documents if matches(d, query)}
            everything = uids(find(connection, query), level)
            assert sorted(everything) == sorted(expected), pairs
            page = ask(connection, level, (*pairs, ("limit", str(limit)), ("offset", str(offset))))
            assert uids(page, level) == everything[offset : offset + limit]
            if page.matches or not limit:
                assert page.remaining == max(0, len(everything) - offset - limit)
            counted = ask(connection, level, (*pairs, ("limit", str(limit)), ("count", "true")))
            assert counted.total == len(everything)


_MOMENTS = ("StudyDate", "StudyTime", "ContentDate", "AccessionNumber")


@st.composite
def _moments(draw: st.DrawFn) -> Pairs:
    names = draw(st.lists(st.sampled_from(_MOMENTS), min_size=1, max_size=3, unique=True))
    pairs = [(name, draw(st.sampled_from(_KEYS[name]))) for name in names]
    return (*pairs, *((option, draw(st.sampled_from(["true", "false"]))) for option in _OPTIONS))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stores(),
    st.lists(st.tuples(st.sampled_from(list(Level)[1:]), _moments(), st.integers(-720, 840)), min_size=5, max_size=15),
)
def test_sql_agrees_in_a_time_zone(instances: list[Made], asked: list[tuple[Level, Pairs, int]]) -> None:
    documents = computed(instances)
    with stored(instances) as connection:
        for level, pairs, zone in asked:
            try:
                query = replace(search_request(level, pairs).query, timezone=zone)
            except ServerError:
                continue
            tag = UID_TAG[level]
            expected = {d[tag]["Value"][0] for d in documents if matches(d, query)}
            assert set(uids(find(connection, query), level)) == expected, (pairs, zone)
