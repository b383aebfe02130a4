"""What the outermost layer sees of requests, logs of them, and adds to answers."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dicomweb_server.server import logs
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.observation import Observation, request_log, safety_headers


@pytest.fixture(autouse=True)
def _restore_loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def scope_of(method: str = "GET", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": "/studies/1.2.3", "query_string": b"PatientName=DOE",
            "headers": pairs, "client": ("10.0.0.9", 5)}  # fmt: skip


class Exchange:
    """One request through the layer, and what came out."""

    def __init__(self, headers: list[tuple[bytes, bytes]] | None = None, log_format: str = "text") -> None:
        self.stream = io.StringIO()
        self.writer = logs.configure(log_format, "info", self.stream)
        self.metrics = Metrics()
        self.answer_headers = headers or []
        self.sent: list[Any] = []
        log = request_log(self.writer, log_format)
        self.layer = Observation(self.app, self.metrics, log, safety_headers([], tls=False))

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path="/studies/{study}")
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 201, "headers": self.answer_headers})
        await send({"type": "http.response.body", "body": b"12345"})

    async def run(self, scope: dict[str, Any]) -> dict[bytes, bytes]:
        messages = iter([{"type": "http.request", "body": b"abc", "more_body": True},
                         {"type": "http.request", "body": b"de", "more_body": False}])  # fmt: skip

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            self.sent.append(message)

        await self.layer(scope, receive, send)
        self.writer.flush()
        return dict(self.sent[0]["headers"])


async def test_answer_has_safety_headers_and_a_request_id() -> None:
    headers = await Exchange().run(scope_of())
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'self'"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert headers[b"x-request-id"]


async def test_policy_of_a_page_wins() -> None:
    headers = await Exchange([(b"content-security-policy", b"script-src 'self'")]).run(scope_of())
    assert headers[b"content-security-policy"] == b"script-src 'self'"
    assert headers[b"x-content-type-options"] == b"nosniff"


async def test_log_line_names_the_template_and_no_identifiers() -> None:
    exchange = Exchange()
    await exchange.run(scope_of("POST"))
    line = exchange.stream.getvalue()
    assert "method=POST route=/studies/{study} status=201 " in line
    assert "received=5 sent=5 address=10.0.0.9" in line
    assert "DOE" not in line
    assert "1.2.3" not in line


async def test_json_log_line_parses_whatever_the_user_is_called() -> None:
    exchange = Exchange(log_format="json")
    scope = scope_of() | {"user": 'a"b\n'}
    await exchange.run(scope)
    line = json.loads(exchange.stream.getvalue())
    assert (line["status"], line["route"], line["user"]) == (201, "/studies/{study}", 'a"b\n')


@pytest.mark.parametrize(("given", "taken"), [("abc-1", True), ("a b", False), ("x" * 65, False), ('a"', False)])
async def test_sane_request_id_is_taken_over(given: str, taken: bool) -> None:
    headers = await Exchange().run(scope_of(x_request_id=given))
    assert (headers[b"x-request-id"] == given.encode()) is taken


async def test_unknown_method_is_not_a_label() -> None:
    exchange = Exchange()
    await exchange.run(scope_of("BREW"))
    assert 'method="other"' in exchange.metrics.render().decode()


def test_hsts_only_with_tls_and_framing_by_allowed_origins() -> None:
    headers = dict(safety_headers(["https://viewer.example"], tls=True))
    assert headers[b"strict-transport-security"]
    assert headers[b"content-security-policy"].endswith(b"frame-ancestors 'self' https://viewer.example")
    assert b"strict-transport-security" not in dict(safety_headers([], tls=False))


async def test_layer_is_cheap() -> None:
    exchange = Exchange()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> None:
        return

    layer = Observation(app, exchange.metrics, request_log(exchange.writer, "text"), safety_headers([], tls=False))
    scope = scope_of()

    async def calls(application: Any) -> int:
        """Of functions, for one request after others."""
        count = 0

        def called(_frame: Any, event: str, _argument: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        for _ in range(10):
            await application(scope, nothing, nothing)
        sys.setprofile(called)
        try:
            await application(scope, nothing, nothing)
        finally:
            sys.setprofile(None)
        return count

    added = await calls(layer) - await calls(app)
    assert 0 < added < 100  # of some 10 µs in all
