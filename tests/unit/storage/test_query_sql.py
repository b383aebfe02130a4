"""SQL finds what `dicom.matching` says, whatever is stored and asked; pages, order and counts."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dicomweb_server.dicom.attributes import ATTRIBUTES, BY_KEYWORD, Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import NewInstance, OnDuplicate, Page
from dicomweb_server.storage import query_sql, schema
from dicomweb_server.storage.additions import Addition
from dicomweb_server.storage.query_functions import values_json
from dicomweb_server.storage.query_sql import _prepared, find
from dicomweb_server.storage.query_statement import page_statement
from dicomweb_server.storage.sqlite import Connection, Database
from dicomweb_server.storage.transaction import Transaction

Pairs = tuple[tuple[str, str], ...]
_UID_TAG = {Level.PATIENT: "00100020", Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}


@dataclass
class Made:
    """One instance: the text of its indexed attributes by keyword, and the rest of its data set."""

    texts: Mapping[str, str]
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        return {BY_KEYWORD[keyword].column: text for keyword, text in self.texts.items() if text}

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(self.others)
        for keyword, text in self.texts.items():
            attribute = BY_KEYWORD[keyword]
            if text:
                value = orjson.loads(text if attribute.vr == "SQ" else values_json(attribute.vr, text))
                found[f"{attribute.tag:08X}"] = {"vr": attribute.vr, "Value": value}
        return found


def make(study: str, series: str, instance: str, *, others: Mapping[str, Any] | None = None, **texts: str) -> Made:
    uids = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.{series}",
        "SOPInstanceUID": f"{study}.{series}.{instance}",
    }
    return Made({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", **uids, **texts}, others or {})


@contextmanager
def stored(instances: list[Made]) -> Iterator[Connection]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "index.db")
        try:
            schema.prepare(database.writing)
            transaction = Transaction(database.writing)
            with transaction.open(0.0) as opened:
                opened.add([Addition(_new(n, made), OnDuplicate.KEEP) for n, made in enumerate(instances)])
            yield database.writing
        finally:
            database.close()


def _new(number: int, made: Made) -> NewInstance:
    values = made.values
    record = InstanceRecord(
        values["study_uid"], values["series_uid"], values["instance_uid"], values["sop_class_uid"], "1.2.1", values
    )
    parsed = ParsedInstance(record, orjson.dumps(made.document), b"")
    return NewInstance(parsed, f"{number:032x}", 1, number.to_bytes(32, "big"), Origin("stow"))


def ask(connection: Connection, level: Level, pairs: Pairs = (), **parents: str) -> Page:
    return find(connection, search_request(level, pairs, **parents).query)


def objects(page: Page) -> list[dict[str, Any]]:
    return [orjson.loads(match.replace(b"\x01", b"ROOT")) for match in page.matches]


def uids(page: Page, level: Level) -> list[str]:
    return ["\\".join(found[_UID_TAG[level]].get("Value", [""])) for found in objects(page)]


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
            tag = _UID_TAG[level]
            expected = {"\\".join(d[tag].get("Value") or [""]) for d in documents if matches(d, query)}
            everything = uids(find(connection, query), level)
            assert sorted(everything) == sorted(expected), pairs
            page = ask(connection, level, (*pairs, ("limit", str(limit)), ("offset", str(offset))))
            assert uids(page, level) == everything[offset : offset + limit]
            if page.matches or not limit:
                assert page.remaining == max(0, len(everything) - offset - limit)
            counted = ask(connection, level, (*pairs, ("limit", str(limit)), ("count", "true")))
            assert counted.total == len(everything)


_TWO = [
    make(
        "1.1",
        "1",
        "1",
        PatientName="A^B=ア^ビ=x",
        PatientID="p\\q",
        Modality="CT\\PT",
        SeriesNumber="1\\x",
        StudyDate="20200101",
    ),
    make("1.2", "1", "1", PatientName="C", PatientID='"q"', Modality="MR", InstanceNumber="-7", StudyDate="20210101"),
]


def test_odd_values_are_answered_as_the_json_model_has_them() -> None:
    with stored(_TWO) as connection:
        study = objects(ask(connection, Level.STUDY, (("StudyDate", "20200101"),)))[0]
        assert study["00100010"]["Value"] == [{"Alphabetic": "A^B", "Ideographic": "ア^ビ", "Phonetic": "x"}]
        assert study["00100020"]["Value"] == ["p", "q"]
        assert study["00080061"]["Value"] == ["CT", "PT"]
        (series,) = objects(ask(connection, Level.SERIES, study_uid="1.1"))
        assert series["00200011"]["Value"] == [1, "x"]
        (instance,) = objects(ask(connection, Level.INSTANCE, study_uid="1.2"))
        assert instance["00200013"]["Value"] == [-7]
        assert objects(ask(connection, Level.PATIENT, (("PatientID", "p"),)))[0]["00100020"]["Value"] == ["p", "q"]


def test_values_json() -> None:
    assert values_json("IS", "1\\\\+02\\1.5\\x") == '[1,null,2,"1.5","x"]'
    assert values_json("PN", "=a\\\\b") == '[{"Ideographic":"a"},null,{"Alphabetic":"b"}]'


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("StudyDate", ["1.1", "1.2"]),
        ("-PatientName", ["1.2", "1.1"]),
        ("ModalitiesInStudy", ["1.1", "1.2"]),
        ("-SOPClassesInStudy,PatientID", ["1.2", "1.1"]),
        ("InstanceAvailability", ["1.2", "1.1"]),
    ],
)
def test_order(order: str, expected: list[str]) -> None:
    with stored(_TWO) as connection:
        assert uids(ask(connection, Level.STUDY, (("orderby", order),)), Level.STUDY) == expected


def test_a_search_that_takes_too_long_is_refused() -> None:
    with stored(_TWO) as connection:
        query = search_request(Level.STUDY, [("SliceThickness", "1")]).query
        with pytest.raises(ServerError, match="not indexed") as caught:
            find(connection, query, patience=-1)
        assert caught.value.reason is Reason.TOO_LARGE
        assert not connection.in_transaction


def test_matches_beyond_a_page_are_not_verified_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_sql, "_COUNTING", -1)
    others = {"00180050": {"vr": "DS", "Value": [1]}}
    with stored([make(f"1.{n}", "1", "1", others=others) for n in range(5)]) as connection:
        page = ask(connection, Level.STUDY, (("SliceThickness", "1"), ("limit", "2"), ("offset", "1")))
        assert (len(page.matches), page.remaining, page.is_remaining_exact) == (2, 1, False)
        page = ask(connection, Level.STUDY, (("SliceThickness", "1"), ("limit", "2"), ("count", "true")))
        assert (len(page.matches), page.remaining, page.total) == (2, 3, 5)


@pytest.mark.parametrize("extra", [(), (("includefield", "SliceThickness"),)])
@pytest.mark.parametrize(("limit", "remaining"), [(None, 0), (5, 2), (6, 1), (7, 0), (8, 0)])
def test_long_pages_come_in_chunks(
    monkeypatch: pytest.MonkeyPatch, extra: Pairs, limit: int | None, remaining: int
) -> None:
    monkeypatch.setattr(query_sql, "_CHUNK", 3)
    with stored([make(f"1.{n}", "1", "1", StudyDate=f"2020010{n}") for n in range(8)]) as connection:
        limits = () if limit is None else (("limit", str(limit)),)
        page = ask(connection, Level.STUDY, (*extra, *limits, ("offset", "1")))
        assert uids(page, Level.STUDY) == [f"1.{n}" for n in range(6, -1, -1)][:limit]
        assert page.remaining == remaining


def test_rows_of_lower_levels_are_counted_so_far_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_sql, "_COUNTED_BEYOND", 3)
    with stored([make("1.1", "1", str(n), InstanceNumber="1") for n in range(8)]) as connection:
        page = ask(connection, Level.INSTANCE, (("InstanceNumber", "1"), ("limit", "2")))
        assert (page.remaining, page.is_remaining_exact) == (3, False)
        page = ask(connection, Level.INSTANCE, (("InstanceNumber", "1"), ("limit", "2"), ("count", "true")))
        assert (page.remaining, page.total, page.is_remaining_exact) == (6, 8, True)
        page = ask(connection, Level.INSTANCE, (("limit", "2"),))
        assert (page.remaining, page.is_remaining_exact) == (6, True)


@pytest.mark.parametrize(
    ("level", "pairs", "index"),
    [
        (Level.STUDY, (("PatientID", "P1"),), "study_by_patient_id (patient_id=?)"),
        (Level.STUDY, (("PatientName", "smith*"),), "study_by_patient_name (patient_name_folded>?"),
        (Level.STUDY, (("PatientName", "*smith*"), ("limit", "5")), "SCAN study USING COVERING INDEX study_by_date"),
        (
            Level.STUDY,
            (("StudyDate", "20200101-"), ("ModalitiesInStudy", "CT")),
            "COVERING INDEX study_by_date (study_",
        ),
        (Level.STUDY, (("limit", "101"),), "SCAN study USING COVERING INDEX study_by_date"),
        (Level.STUDY, (("AccessionNumber", "A1"),), "study_by_accession_number (accession_number=?)"),
        (Level.STUDY, (("StudyInstanceUID", "1.2,1.3"),), "sqlite_autoindex_study_1 (study_uid=?)"),
        (Level.SERIES, (("SeriesInstanceUID", "1.2"),), "series_by_uid (series_uid=?)"),
        (Level.INSTANCE, (("SOPInstanceUID", "1.2"),), "instance_by_uid (instance_uid=?)"),
        (Level.INSTANCE, (("limit", "101"),), "SEARCH instance USING INDEX sqlite_autoindex_instance_1 (series=?)"),
    ],
)
def test_indexes_are_used(level: Level, pairs: Pairs, index: str) -> None:
    with stored(_TWO[1:]) as connection:
        query = search_request(level, pairs).query
        prepared = _prepared(query, frozenset(), ())
        statement = page_statement(prepared.plan.shape, prepared.fields, query.order, is_counted=False)
        values = statement.parameters(prepared.plan.values, limit=1, offset=0)
        steps = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement.sql, values)]
        assert any(index in step for step in steps), steps


def test_many_different_searches_keep_little() -> None:
    columns = [attribute.keyword for attribute in ATTRIBUTES if attribute.level is Level.INSTANCE]
    with stored(_TWO) as connection:
        for keys in islice(permutations(columns, 3), 600):
            ask(connection, Level.INSTANCE, (*((key, '""') for key in keys), ("emptyvaluematching", "true")))
        info = page_statement.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize <= 512
