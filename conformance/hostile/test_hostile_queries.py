"""Abusive but well-formed requests: bounded work, and 4xx where a limit is met."""

import pytest

from conformance.requirement import requires
from conformance.service import JSON, STORED_OCTETS, Service

ENOUGH = (200, 204, 206, 400, 406, 413, 414, 416, 431)


def quick(service: Service, path: str, accept: str = JSON, **headers: str) -> tuple[bool, bool]:
    response = service.get(path, accept=accept, headers=headers)
    return response.status_code in ENOUGH, response.elapsed.total_seconds() < 1


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("count", [500, 5000])
def test_thousands_of_keys(service: Service, count: int) -> None:
    query = "&".join(f"{0x00080000 + number:08X}=x" for number in range(count))
    assert quick(service, f"/studies?{query}") == (True, True)


@requires("Hostile input: abusive requests", "B")
def test_the_same_key_thousands_of_times(service: Service) -> None:
    assert quick(service, "/studies?" + "PatientID=x&" * 4000) == (True, True)


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("separator", [",", "&includefield="])
def test_thousands_of_include_fields(service: Service, separator: str) -> None:
    assert quick(service, "/studies?includefield=" + separator.join(["PatientAge"] * 2500)) == (True, True)


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("pattern", ["*a" * 4000, "*" * 8000, "?" * 8000, "*?" * 4000, "a*" * 30 + "b"])
@pytest.mark.parametrize("key", ["PatientName", "StudyDescription", "SeriesDescription"])
def test_a_wildcard_that_makes_matchers_slow(service: Service, key: str, pattern: str) -> None:
    assert quick(service, f"/series?{key}={pattern}") == (True, True)


@requires("Hostile input: abusive requests", "B")
def test_a_list_of_a_thousand_uids(service: Service) -> None:
    assert quick(service, "/studies?StudyInstanceUID=" + ",".join(f"1.2.{n}" for n in range(4000))) == (True, True)


@requires("Hostile input: abusive requests", "B")
def test_a_path_through_hundreds_of_sequences(service: Service) -> None:
    assert quick(service, "/series?" + ".".join(["RequestAttributesSequence"] * 500) + "=x") == (True, True)


@requires("Hostile input: abusive requests", "B")
@pytest.mark.parametrize("numbers", [",".join(["1"] * 20_000), "1" * 5000, "1," * 5000])
def test_thousands_of_frames(service: Service, witness: str, numbers: str) -> None:
    response = service.get(f"{witness}/frames/{numbers}", accept=STORED_OCTETS)
    assert (response.status_code in (*ENOUGH, 404), response.elapsed.total_seconds() < 1) == (True, True)


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
def test_an_accept_that_makes_parsers_slow(service: Service, witness: str, accept: str) -> None:
    assert quick(service, witness + "/metadata", accept=accept) == (True, True)


@requires("Hostile input: Accept", "B")
@pytest.mark.parametrize(
    "name", ["If-None-Match", "Accept-Encoding", "Forwarded", "X-Forwarded-Host", "Range", "Cookie"]
)
@pytest.mark.parametrize("text", ['"' * 8000, "," * 8000, "a=" * 8000, ";" * 8000, "bytes=" + "0-," * 5000])
def test_other_headers_that_make_parsers_slow(service: Service, witness: str, name: str, text: str) -> None:
    assert quick(service, witness + "/metadata", JSON, **{name: text}) == (True, True)


@requires("Hostile input: Range", "B")
def test_five_thousand_ranges(service: Service, witness: str) -> None:
    header = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(5000))
    assert quick(service, witness, "application/dicom; transfer-syntax=*", Range=header) == (True, True)


@requires("Hostile input: dates", "B")
@pytest.mark.parametrize(
    "text", ["99991332", "00000000", "20210314-20200101", "-", "--", "2021", "20210229", "20210314150926", "-20210230"]
)
@pytest.mark.parametrize("key", ["StudyDate", "StudyTime", "PatientBirthDate"])
def test_dates_and_times_that_are_none(service: Service, key: str, text: str) -> None:
    assert quick(service, f"/studies?{key}={text}") == (True, True)


@requires("Hostile input: query fuzz", "B")
@pytest.mark.parametrize(
    "text", ["\u0000", "\ud800".encode("utf-8", "surrogatepass").hex(), "\u202e", "𝕏" * 500, "\\" * 500]
)
@pytest.mark.parametrize("key", ["PatientName", "PatientID", "ModalitiesInStudy", "StudyInstanceUID", "Rows"])
def test_odd_letters_in_values(service: Service, key: str, text: str) -> None:
    response = service.get("/instances", accept=JSON, query={key: text, "limit": "1"})
    assert response.status_code in ENOUGH
