"""What all of REST shares: the front door, failures in Orthanc's form, overridden methods."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason
from dicomweb_server.rest.errors import ERRORS
from tests.app.rest_harness import Rest, open_rest


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        yield opened


def test_every_reason_has_an_error() -> None:
    assert set(ERRORS) == set(Reason)


async def test_system_tells_both_versions(rest: Rest) -> None:
    said = await rest.json("/system")
    assert (said["Version"], said["ApiVersion"], said["Server"]) == ("1.12.11", 30, "dicomweb-server")
    assert said["Capabilities"]["HasExtendedFind"]


async def test_what_is_not_there_is_told_as_orthanc_does(rest: Rest) -> None:
    response = await rest.get("/system/nothing")
    assert response.status_code == 404
    assert response.json() == {
        "Details": "the service has no such resource",
        "HttpError": "Not Found",
        "HttpStatus": 404,
        "Message": "Unknown resource",
        "Method": "GET",
        "OrthancError": "Unknown resource",
        "OrthancStatus": 17,
        "Uri": "/system/nothing",
    }


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/system?_method=GET", {}, 200),
        ("POST", "/system", {"X_HTTP_Method_Override": "GET"}, 200),
        ("GET", "/system?_method=DELETE", {}, 405),
        ("GET", "/system?_method=TRACE", {}, 400),
        ("POST", "/system", {}, 405),
    ],
)
async def test_a_method_may_be_overridden(
    rest: Rest, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = await rest.send(method, path, **headers)
    assert response.status_code == status
