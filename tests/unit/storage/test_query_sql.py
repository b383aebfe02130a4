"""Searches by SQL: odd values, order, pages, limits, and that indexes are used."""

from itertools import islice, permutations

import pytest

from dicomweb_server.dicom.attributes import ATTRIBUTES, Level
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage import query_sql
from dicomweb_server.storage.query_functions import values_json
from dicomweb_server.storage.query_sql import _prepared, find
from dicomweb_server.storage.query_statement import page_statement
from tests.unit.storage.query_store import Pairs, ask, make, objects, stored, uids

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


def test_damaged_metadata_does_not_hide_the_others() -> None:
    others = {"00180050": {"vr": "DS", "Value": [1]}}
    with stored([make(f"1.{n}", "1", "1", others=others) for n in range(3)]) as connection:
        connection.execute("UPDATE template SET content = x'00' WHERE id = 2")
        connection.codec.forget()
        assert uids(ask(connection, Level.STUDY, (("SliceThickness", "1"),)), Level.STUDY) == ["1.2", "1.0"]
        completed = objects(ask(connection, Level.INSTANCE, (("includefield", "SliceThickness"),)))
        assert [("00180050" in found) for found in completed] == [True, False, True]


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
        (Level.STUDY, (("PatientName", "*smith*"), ("limit", "5")), "SCAN study_trigram VIRTUAL TABLE INDEX"),
        (Level.STUDY, (("AccessionNumber", "*123*"), ("limit", "5")), "SCAN study_trigram VIRTUAL TABLE INDEX"),
        (Level.STUDY, (("PatientName", "*sm*"), ("limit", "5")), "SCAN study USING COVERING INDEX study_by_date"),
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
