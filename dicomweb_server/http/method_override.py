"""The method that a request means but cannot say: browsers' forms and some proxies know GET and POST only."""

from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.headers import header, parameters

_ALLOWED = frozenset({"GET", "POST", "PUT", "DELETE"})


def overriding_method(scope: Scope) -> str:
    """Of the parameter `_method` of GET and POST, or of the field X-HTTP-Method-Override of POST; "" without one."""
    said = ""
    if scope["method"] in ("GET", "POST") and b"_method=" in scope.get("query_string", b""):
        said = dict(parameters(scope)).get("_method", "")
    if not said and scope["method"] == "POST":
        said = header(scope, b"x-http-method-override") or ""
    method = said.strip().upper()
    if method and method not in _ALLOWED:
        raise ServerError(Reason.BAD_REQUEST, "the overriding method must be GET, POST, PUT or DELETE")
    return method
