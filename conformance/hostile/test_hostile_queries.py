"""Abusive but well-formed requests: bounded work, and 4xx where a limit is met."""

import pytest

from conformance.cost import Clock, at_most
from conformance.requirement import requires
from conformance.service import JSON, STORED_OCTETS, Service

ENOUGH = (200, 204, 206, 400, 406, 413, 414, 416, 431)


def is_bounded(service: Service, clock: Clock, path: str, accept: str = JSON, **headers: str) -> bool:
    with at_most(1, clock):
        response = service.get(path, accept=accept, headers=headers)
    return response.status_code in ENOUGH


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("count", [500, 5000])
def test_thousands_of_keys(service: Service, clock: Clock, count: int) -> None:
    query = "&".join(f"{0x00080000 + number:08X}=x" for number in range(count))
    assert is_bounded(service, clock, f"/studies?{query}")


@requires("Hostile input: abusive requests", "B")
def test_the_same_key_thousands_of_times(service: Service, clock: Clock) -> None:
    assert is_bounded(service, clock, "/studies?" + "PatientID=x&" * 4000)


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("separator", [",", "&includefield="])
def test_thousands_of_include_fields(service: Service, clock: Clock, separator: str) -> None:
    assert is_bounded(service, clock, "/studies?includefield=" + separator.join(["PatientAge"] * 2500))


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("pattern", ["*a" * 4000, "*" * 8000, "?" * 8000, "*?" * 4000, "a*" * 30 + "b"])
@pytest.mark.parametrize("key", ["PatientName", "StudyDescription", "SeriesDescription"])
def test_a_wildcard_that_makes_matchers_slow(service: Service, clock: Clock, key: str, pattern: str) -> None:
    assert is_bounded(service, clock, f"/series?{key}={pattern}")


@requires("Hostile input: abusive requests", "B")
def test_a_list_of_a_thousand_uids(service: Service, clock: Clock) -> None:
    assert is_bounded(service, clock, "/studies?StudyInstanceUID=" + ",".join(f"1.2.{n}" for n in range(4000)))


@requires("Hostile input: abusive requests", "B")
def test_a_path_through_hundreds_of_sequences(service: Service, clock: Clock) -> None:
    assert is_bounded(service, clock, "/series?" + ".".join(["RequestAttributesSequence"] * 500) + "=x")


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("numbers", [",".join(["1"] * 20_000), "1" * 5000, "1," * 5000])
def test_thousands_of_frames(service: Service, clock: Clock, witness: str, numbers: str) -> None:
    with at_most(1, clock):
        response = service.get(f"{witness}/frames/{numbers}", accept=STORED_OCTETS)
    assert response.status_code in (*ENOUGH, 404)


@requires("Hostile input: Accept", "B")
@pytest.mark.parametrize(
    "accept",
    [
        ",".join(["text/x;q=0.1"] * 3000),
        "a/b;" + "x=y;" * 8000,
        'application/dicom+json;x="' + "\\\"" * 8000 + '"',
        "application/dicom+json;q=NaN",
        "application/dicom+json;q=1e9",
        "application/dicom+json;q=-1",
        "application/dicom+json;q=0.99999999999999999999999999999999",
        ";" * 8000,
        "," * 8000,
        '"' * 8000,
        "/" * 8000,
    ],
    ids=["3000 ranges", "8000 parameters", "8000 escapes", "nan", "1e9", "minus", "digits", "semicolons", "commas",
         "quotes", "slashes"],
)  # fmt: skip
def test_an_accept_that_makes_parsers_slow(service: Service, clock: Clock, witness: str, accept: str) -> None:
    assert is_bounded(service, clock, witness + "/metadata", accept=accept)


@requires("Hostile input: Accept", "B")
@pytest.mark.parametrize(
    "name", ["If-None-Match", "Accept-Encoding", "Forwarded", "X-Forwarded-Host", "Range", "Cookie"]
)
@pytest.mark.parametrize("text", ['"' * 8000, "," * 8000, "a=" * 8000, ";" * 8000, "bytes=" + "0-," * 5000])
def test_other_headers_that_make_parsers_slow(
    service: Service, clock: Clock, witness: str, name: str, text: str
) -> None:
    assert is_bounded(service, clock, witness + "/metadata", JSON, **{name: text})


@requires("Hostile input: Range", "B")
def test_five_thousand_ranges(service: Service, clock: Clock, witness: str) -> None:
    header = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(5000))
    assert is_bounded(service, clock, witness, "application/dicom; transfer-syntax=*", Range=header)


@requires("Hostile input: dates", "B")
@pytest.mark.parametrize(
    "text", ["99991332", "00000000", "20210314-20200101", "-", "--", "2021", "20210229", "20210314150926", "-20210230"]
)
@pytest.mark.parametrize("key", ["StudyDate", "StudyTime", "PatientBirthDate"])
def test_dates_and_times_that_are_none(service: Service, clock: Clock, key: str, text: str) -> None:
    assert is_bounded(service, clock, f"/studies?{key}={text}")


@requires("Hostile input: query fuzz", "B")
@pytest.mark.parametrize(
    "text", ["\u0000", "\ud800".encode("utf-8", "surrogatepass").hex(), "\u202e", "𝕏" * 500, "\\" * 500]
)
@pytest.mark.parametrize("key", ["PatientName", "PatientID", "ModalitiesInStudy", "StudyInstanceUID", "Rows"])
def test_odd_letters_in_values(service: Service, key: str, text: str) -> None:
    response = service.get("/instances", accept=JSON, query={key: text, "limit": "1"})
    assert response.status_code in ENOUGH
