"""Arguments: the query parameters of a request, by name and type."""

import math

from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.headers import parameters

_LARGEST = 1e12
_YES, _NO = frozenset({"", "1", "true"}), frozenset({"0", "false"})


class Arguments:
    """Of a parameter given twice the first counts. ServerError(BAD_REQUEST) for a value of another type."""

    def __init__(self, scope: Scope) -> None:
        self._values: dict[str, str] = {}
        for name, value in parameters(scope):
            self._values.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """Its value."""
        return self._values.get(name, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Whether it is there, unless it says that it is not meant."""
        value = self._values.get(name)
        if value is None:
            return default
        lower = value.lower()
        if lower not in _YES and lower not in _NO:
            raise ServerError(Reason.BAD_REQUEST, f"the parameter {name} must be true or false")
        return lower in _YES

    def decimal(self, name: str) -> float:
        """A finite number, of a parameter that is there."""
        try:
            value = float(self._values[name][:40])
        except ValueError:
            value = math.inf
        if not abs(value) < _LARGEST:
            raise ServerError(Reason.BAD_REQUEST, f"the parameter {name} must be a number")
        return value

    def number(self, name: str, default: int, most: int = 2**53, *, least: int = 0) -> int:
        """A whole number within bounds."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 16 and least <= int(value) <= most):
            raise ServerError(Reason.BAD_REQUEST, f"the parameter {name} must be a whole number from {least} to {most}")
        return int(value)
