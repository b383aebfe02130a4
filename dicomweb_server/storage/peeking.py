"""Reads that never wait: bytes that are in the page cache, and None otherwise; for the event loop.

Linux only (openat2 with RESOLVE_CACHED, preadv2 with RWF_NOWAIT); elsewhere nothing is ever at hand. The calls keep
the interpreter's lock, since they do not block: a loop that let go of it might wait milliseconds to get it back.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from ctypes import c_int, c_long, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

_OPENAT2 = 437  # the same number on every Linux architecture
_RESOLVE_CACHED = 0x20
_RWF_NOWAIT = 0x08


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", c_uint64), ("mode", c_uint64), ("resolve", c_uint64))


class _Vector(ctypes.Structure):
    _fields_ = (("base", c_void_p), ("length", c_size_t))


class Peeker:
    """Peeks at files below a folder."""

    def __init__(self, folder: Path) -> None:
        """Finds out what the system offers."""
        self._functions = _functions()
        self._folder = os.open(folder, os.O_RDONLY) if self._functions else -1
        self._how = ctypes.byref(_OpenHow(os.O_RDONLY | getattr(os, "O_CLOEXEC", 0), 0, _RESOLVE_CACHED))

    def open(self, path: str) -> int | None:
        """A descriptor of a file whose name and inode are in memory; to be given to `close`."""
        if self._functions is None:
            return None
        descriptor: int = self._functions.syscall(
            _OPENAT2, self._folder, path.encode("ascii"), self._how, ctypes.sizeof(_OpenHow)
        )
        return descriptor if descriptor >= 0 else None

    def read(self, descriptor: int, offset: int, length: int) -> bytes | None:
        """So many bytes, if all are in memory."""
        if self._functions is None or length == 0:
            return None
        # A bytes object that is not filled yet, as C extensions make it: saves zeroing and copying a frame.
        buffer: bytes = self._functions.new_bytes(None, length)
        vector = _Vector(self._functions.address(buffer), length)
        got = self._functions.preadv2(descriptor, ctypes.byref(vector), 1, offset, _RWF_NOWAIT)
        return buffer if got == length else None

    def close(self, descriptor: int) -> None:
        """Close what `open` gave."""
        if self._functions is not None:
            self._functions.close(descriptor)

    def shut(self) -> None:
        """Let go of the folder."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


class _Functions:
    """The C functions; PyDLL, unlike CDLL, keeps the interpreter's lock."""

    def __init__(self) -> None:
        libc = ctypes.PyDLL(None)
        self.syscall = _typed(libc.syscall, c_long, c_long, c_int, ctypes.c_char_p, c_void_p, c_size_t)
        self.preadv2 = _typed(libc.preadv2, ctypes.c_ssize_t, c_int, c_void_p, c_int, ctypes.c_int64, c_int)
        self.close = _typed(libc.close, c_int, c_int)
        self.new_bytes = _typed(
            ctypes.PyDLL(None).PyBytes_FromStringAndSize, ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t
        )
        self.address = _typed(ctypes.PyDLL(None).PyBytes_AsString, c_void_p, ctypes.py_object)


def _typed(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    function.restype = result
    function.argtypes = arguments
    typed: Callable[..., Any] = function
    return typed


def _functions() -> _Functions | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return _Functions()
    except AttributeError:  # a C library without preadv2
        return None
