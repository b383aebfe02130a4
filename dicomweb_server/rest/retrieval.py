"""How the answers of a query are to be retrieved: an AE title alone, or an object that says more."""

import orjson

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import Members
from dicomweb_server.services.fetching import GET, MOVE

_METHODS = {"C-MOVE": MOVE, "C-GET": GET, "move": MOVE, "get": GET}


def retrieval_of(body: bytes, usual: str) -> tuple[Members, str]:
    """What the body says, and the type of the job; `usual`: the method where it says none."""
    text = body.strip()
    if text.startswith(b"{"):
        try:
            members = Members(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise ServerError(Reason.BAD_REQUEST, f"the body is not valid JSON: {error.msg[:100]}") from None
    else:
        members = Members({"TargetAet": _title(text)} if text else {})
    method = members.text("RetrieveMethod", usual)
    if method == "SystemDefault":
        method = usual
    if method not in _METHODS:
        raise ServerError(Reason.BAD_REQUEST, "RetrieveMethod must be C-MOVE, C-GET or SystemDefault")
    return members, _METHODS[method]


def _title(text: bytes) -> str:
    try:
        title = text.decode("ascii").strip('"')
    except UnicodeDecodeError:
        title = ""
    if not 0 < len(title) <= 16:
        raise ServerError(Reason.BAD_REQUEST, "the body must be an AE title or a JSON object")
    return title
