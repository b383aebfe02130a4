"""Tables of a configuration, which flags and variables write in one line: `NAME=VALUE`, separated by commas."""

from collections.abc import Callable, Mapping


def as_table(
    raw: object, entry: Callable[[str, str], object] = lambda _, value: value, separator: str = "="
) -> dict[str, object]:
    """Its entries by name, in their order; `entry` makes one of a name and value of the line.

    ValueError, which never tells the value, if it is no table: it may hold a password.
    """
    if isinstance(raw, str):
        pairs = [part.strip().partition(separator) for part in raw.split(",") if part.strip()]
        raw = {name: entry(name, value) for name, _, value in pairs}
    if not isinstance(raw, Mapping):
        raise ValueError("not a table")
    return {str(name): value for name, value in raw.items()}
