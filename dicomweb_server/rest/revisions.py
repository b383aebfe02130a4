"""Revisions: ETags of what clients change, and the conditions under which they do."""

from hashlib import md5

from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.headers import header
from dicomweb_server.services.annotations import Expected


def revision_tag(revision: int, digest: str) -> bytes:
    """The ETag of a value: its revision and the MD5 of what it is."""
    return f'"{revision}-{digest}"'.encode("ascii")


def text_tag(revision: int, text: str) -> bytes:
    """The ETag of a text."""
    return revision_tag(revision, md5(text.encode("utf-8"), usedforsecurity=False).hexdigest())


def expected_of(scope: Scope, *, exists: bool, is_checked: bool) -> Expected:
    """The revision that If-Match names. If revisions are checked, what exists needs one to be changed."""
    said = header(scope, b"if-match")
    if said is None:
        if exists and is_checked:
            raise ServerError(Reason.CONFLICT, "this exists already: say its ETag in If-Match to change it")
        return Expected()
    revision = said.strip().removeprefix("W/").strip('"').partition("-")[0]
    if not (revision.isascii() and revision.isdigit() and len(revision) < 18):
        raise ServerError(Reason.BAD_REQUEST, "If-Match must be an ETag: the revision, a hyphen and a digest")
    return Expected(int(revision))
