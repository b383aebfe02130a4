"""What failed in the operating system or in SQLite, as a ServerError; never names attribute values."""

import errno
import sqlite3

from dicomweb_server.errors import Reason, ServerError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_SQLITE_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM})
_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})


def storage_failure(error: OSError | sqlite3.Error, doing: str) -> ServerError:
    """The failure of `doing` ("writing a blob") in the words of `Reason`."""
    if isinstance(error, OSError):
        return ServerError(_os_reason(error), f"{doing} failed: {error.strerror or error}")
    return ServerError(_sqlite_reason(error), f"{doing} failed: {getattr(error, 'sqlite_errorname', 'index error')}")


def _os_reason(error: OSError) -> Reason:
    if error.errno in _NO_ROOM:
        return Reason.OUT_OF_RESOURCES
    return Reason.BUSY if error.errno in _TOO_MANY else Reason.STORAGE_DAMAGED


def _sqlite_reason(error: sqlite3.Error) -> Reason:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _SQLITE_NO_ROOM:
        return Reason.OUT_OF_RESOURCES
    if primary in _SQLITE_DAMAGED:
        return Reason.STORAGE_DAMAGED
    return Reason.BUSY if primary in _SQLITE_BUSY else Reason.INTERNAL
