"""Subscriptions to workitems (PS3.18 §11.10 to §11.12), and where the notification connection of a subscriber is."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.query import Match
from dicomweb_server.dicom.search_parameters import filter_matches
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.qido import KEYS
from dicomweb_server.dicomweb.workitem_status import Workitems
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.errors import problem_body
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Operation
from dicomweb_server.services.workitem_channels import WEB
from dicomweb_server.services.workitems import FILTERED_WORKITEMS, Subscriber
from dicomweb_server.wire.query_string import parse_query_string

_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_COMMON = frozenset({"accept", "charset"})
_LOCK, _FILTER = "deletionlock", "filter"
Pairs = Sequence[tuple[str, str]]


async def subscribe(request: Request, context: Context) -> Response:
    """An AE is told of a workitem, or of all, or of those that match, from now on (§11.10)."""
    uid, ae_title = _named(request)
    pairs = [each for each in parse_query_string(request.scope.get("query_string", b"")) if each[0] not in _COMMON]
    keys = subscribed_keys(uid, [each for each in pairs if each[0] != _LOCK])
    await context.services.workitems.subscribe(uid, Subscriber(ae_title, WEB), is_locked=_is_locked(pairs), keys=keys)
    root = context.options.service_url.root(request.scope)
    place = f"{root.replace('http', 'ws', 1)}/subscribers/{quote(ae_title, safe='')}"
    return Whole(status=201, headers=[(b"content-location", place.encode("latin-1"))])


async def unsubscribe(request: Request, context: Context) -> Response:
    """An AE is told no more (§11.11)."""
    await context.services.workitems.unsubscribe(*_named(request))
    return Whole()


async def suspend(request: Request, context: Context) -> Response:
    """An AE is told of what it knows, but not of new workitems (§11.12)."""
    await context.services.workitems.suspend(*_named(request))
    return Whole()


async def open_notification_connection(request: Request, context: Context) -> Response:
    """What a request without a WebSocket handshake is told (RFC 9110 §15.5.22); `Notifications` serves the others."""
    del context
    ae_title_of(request.scope["path_params"]["ae_title"])
    headers = [(b"upgrade", b"websocket")]
    return problem_body(HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket (RFC 6455)", Reason.BAD_REQUEST, headers)


def ae_title_of(text: str) -> str:
    """The AE title in a path, without the spaces around it that mean nothing; ServerError(BAD_REQUEST)."""
    title = text.strip(" ")
    if not title or not _AE_TITLE.fullmatch(title):
        raise ServerError(Reason.BAD_REQUEST, "the path: expected an AE title, 1 to 16 printable characters of ASCII")
    return title


def _named(request: Request) -> tuple[str, str]:
    named = request.scope["path_params"]
    return named["workitem"], ae_title_of(named["ae_title"])


def _is_locked(pairs: Pairs) -> bool:
    given = [value for name, value in pairs if name == _LOCK]
    if len(given) > 1 or not set(given) <= {"true", "false"}:
        raise ServerError(Reason.BAD_REQUEST, f"parameter {_LOCK}: expected true or false, once")
    return given == ["true"]


def subscribed_keys(uid: str, pairs: Pairs) -> tuple[Match, ...]:
    """The matching keys of a subscription, as parameters of their own (2019a) or as those in `filter` (§11.10.1.2)."""
    spread = [one for name, value in pairs for one in (_in_filter(value) if name == _FILTER else [(name, value)])]
    keys = filter_matches(spread)
    if bool(keys) is not (uid == FILTERED_WORKITEMS):
        expected = "expected matching keys, in filter" if not keys else "only the filtered worklist has matching keys"
        raise ServerError(Reason.BAD_REQUEST, f"the query part: {expected}")
    return keys


def _in_filter(text: str) -> list[tuple[str, str]]:
    """A list of attribute=value; what has no attribute goes on with the value before it, which is a list then."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, is_key, value = part.partition("=")
        if is_key or not found:
            found.append((name.strip(), value))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]},{part}")
    return found


_TAG = "Worklist service"
_PATH = "/workitems/{workitem}/subscribers/{ae_title}"
_PARAMETERS = (
    Parameter(
        _LOCK, "Keep what has ended until the AE is not subscribed any more", {"type": "boolean", "default": False}
    ),
    Parameter(
        _FILTER, "Matching keys of the filtered worklist, as attribute=value with commas between", {"type": "string"}
    ),
    KEYS,
)
_ERRORS = (400, 404, 410, 500, 501, 503)


def _operation(
    method: str, path: str, endpoint: Workitems, said: tuple[str, str], success: dict[int, str], *more: Parameter
) -> Operation[Context]:
    description = Description(*said, _TAG, success, parameters=more, errors=_ERRORS, bare=(*success,))
    return Operation(method, path, endpoint, description)


OPERATIONS: Sequence[Operation[Context]] = (
    _operation(
        "POST",
        _PATH,
        Workitems(subscribe),
        ("subscribeToWorkitem", "Tell an AE of a workitem, of all, or of those that match"),
        {201: "It is subscribed; Content-Location is the WebSocket by which it is told"},
        *_PARAMETERS,
    ),
    _operation(
        "DELETE",
        _PATH,
        Workitems(unsubscribe),
        ("unsubscribeFromWorkitem", "Tell an AE no more of a workitem, or of none"),
        {200: "It is not subscribed"},
    ),
    _operation(
        "POST",
        _PATH + "/suspend",
        Workitems(suspend),
        ("suspendSubscription", "Tell an AE of no new workitems"),
        {200: "It is subscribed to what there is"},
    ),
    Operation(
        "GET",
        "/subscribers/{ae_title}",
        Workitems(open_notification_connection),
        Description(
            "openNotificationConnection",
            "The WebSocket by which an AE is told of workitems",
            _TAG,
            {101: "The connection is a WebSocket from now on; each message is an event report in DICOM JSON"},
            errors=(400, 426, 500, 501, 503),
            bare=(101,),
        ),
    ),
)
