"""Basic authentication: who passes, who does not, and at what cost."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from dicomweb_server.server import user_check
from dicomweb_server.server.user_check import UserCheck
from dicomweb_server.server.users import Authentication

USERS = {"alice": "A", "bob": "B"}


class Tokens:
    """Believes one token."""

    def user(self, token: str, address: str) -> str | None:
        return "carol" if token == "abc" else None


class Server:
    """The layer around an application that names its user."""

    def __init__(self, users: Mapping[str, str] = USERS, tokens: Tokens | None = None) -> None:
        self.verified = 0
        self.reached: list[str] = []
        self.layer = Authentication(self.app, UserCheck(users, self.verify, tokens), ["/healthz"])

    def verify(self, password: str, hashed: str) -> bool:
        self.verified += 1
        return (password, hashed) in {("secret-a", "A"), ("secret-b:with colon", "B")}

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(scope.get("user", ""))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, authorization: bytes | None = None, path: str = "/studies", address: str = "10.0.0.1") -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", authorization)] if authorization is not None else []
        scope = {"type": "http", "path": path, "headers": headers, "client": (address, 1)}
        await self.layer(scope, None, send)  # type: ignore[arg-type]
        return sent[0]


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


async def test_right_password_passes_and_is_verified_once() -> None:
    server = Server()
    for _ in range(5):
        assert (await server.ask(basic("alice:secret-a")))["status"] == 200
    assert server.reached == ["alice"] * 5
    assert server.verified == 1
    assert (await server.ask(basic("bob:secret-b:with colon")))["status"] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Basic",
        b"Basic !!!",
        b"Basic " + base64.b64encode(b"alice"),
        b"Basic " + base64.b64encode(b"\xff\xfe:x"),
        b"Bearer abc",
        basic("alice:wrong"),
        basic("alice:"),
        basic("mallory:secret-a"),
        basic("alice:secret-b:with colon"),
        b"Basic " + b"A" * 5000,
    ],
)
async def test_everyone_else_is_asked_for_a_password(authorization: bytes | None) -> None:
    server = Server()
    answer = await server.ask(authorization)
    assert answer["status"] == 401
    assert dict(answer["headers"])[b"www-authenticate"].startswith(b"Basic realm=")
    assert server.reached == []


async def test_public_paths_are_public_and_only_they() -> None:
    server = Server()
    assert (await server.ask(path="/healthz"))["status"] == 200
    for path in ("/healthz/", "/healthz/../studies", "//healthz", "/Healthz"):
        assert (await server.ask(path=path))["status"] == 401


async def test_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    server = Server()
    await server.ask(basic("nobody:x"))
    assert server.verified == 1


async def test_guessing_is_slowed_down_by_address() -> None:
    server = Server()
    for number in range(10):
        assert (await server.ask(basic(f"alice:{number}")))["status"] == 401
    assert (await server.ask(basic("alice:secret-a")))["status"] == 429
    assert server.verified == 10
    assert (await server.ask(basic("alice:secret-a"), address="10.0.0.2"))["status"] == 200


async def test_failures_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    for number in range(10):
        await server.ask(basic(f"alice:{number}"))
    monkeypatch.setattr(user_check, "_FAILURES_FORGOTTEN_AFTER", -1.0)
    assert (await server.ask(basic("alice:secret-a")))["status"] == 200


async def test_known_user_passes_whatever_others_at_the_address_do() -> None:
    server = Server()
    assert (await server.ask(basic("alice:secret-a")))["status"] == 200
    for number in range(12):
        await server.ask(basic(f"bob:{number}"))
    assert (await server.ask(basic("alice:secret-a")))["status"] == 200


@pytest.mark.parametrize(("users", "schemes"), [(USERS, [b"Basic", b"Bearer"]), ({}, [b"Bearer"])])
async def test_tokens(users: Mapping[str, str], schemes: list[bytes]) -> None:
    server = Server(users, Tokens())
    assert (await server.ask(b"Bearer abc"))["status"] == 200
    assert (await server.ask(b"bearer  abc"))["status"] == 200
    assert server.reached == ["carol"] * 2
    for wrong in (b"Bearer", b"Bearer abcd", b"Bearer \xff", b"Token abc", basic("carol:abc")):
        answer = await server.ask(wrong)
        assert answer["status"] == 401
        told = [value.split()[0] for name, value in answer["headers"] if name == b"www-authenticate"]
        assert told == schemes
    assert server.verified == (1 if users else 0)
