"""TLS contexts, also of listeners whose files may be replaced while they run. Knows no protocol above TLS."""

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

logger = logging.getLogger("dicomweb_server.certificates")
_States = list[tuple[int, int, int]]


def checking_context(purpose: ssl.Purpose, ca: Path | str | None = None) -> ssl.SSLContext:
    """What checks certificates by `ca`, or by the system's authorities, in the same way with every Python.

    Since 3.13 a certificate is by default refused for want of extensions that RFC 5280 asks for, such as the key
    identifier of its authority. Authorities that hospitals made themselves often leave them out. Newer, too, and kept:
    a certificate in `ca` is trusted even if it is not an authority's.
    """
    context = ssl.create_default_context(purpose, cafile=ca)
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return context


class RenewedContext(ssl.SSLContext):
    """A context that is made anew once one of its files has changed: whoever connects then meets the new ones.

    Files that cannot be used, perhaps because they are not all there yet, leave everything as it was.
    """

    _make: Callable[[], ssl.SSLContext]
    _files: Sequence[Path]
    _states: _States
    _current: ssl.SSLContext

    def __new__(cls, make: Callable[[], ssl.SSLContext], files: Sequence[Path | None]) -> Self:
        """`make` reads the files, and is called at once; what it raises then is the caller's."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._make = make
        context._files = [file for file in files if file is not None]
        context._states = context._read_states()
        context._current = make()
        return context

    def __init__(self, *_: object) -> None:
        """Everything is done in `__new__`, as with every SSLContext."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """For one connection: this is what event loops call."""
        states = self._read_states()
        if states != self._states:
            self._states = states
            self._renew()
        return self._current.wrap_bio(*arguments, **options)

    def _renew(self) -> None:
        names = {"files": ", ".join(map(str, self._files))}
        try:
            self._current = self._make()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            logger.error("certificates not taken", extra=names | {"detail": str(error)})
        else:
            logger.info("certificates read again", extra=names)

    def _read_states(self) -> _States:
        states = []
        for file in self._files:
            try:
                found = file.stat()
            except OSError:
                states.append((0, 0, 0))
            else:
                states.append((found.st_ino, found.st_mtime_ns, found.st_size))
        return states
