"""UidPatterns: a set of UIDs of which some are patterns with `*` and `?`. Does no I/O."""

import re
from collections.abc import Iterable


class UidPatterns:
    """Says which UIDs are in it."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        patterns = frozenset(patterns)
        self._exact = frozenset(each for each in patterns if not set(each) & {"*", "?"})
        self._wildcards = [
            re.compile(re.escape(each).replace(r"\*", ".*").replace(r"\?", "."))
            for each in sorted(patterns - self._exact)
        ]

    def __bool__(self) -> bool:
        return bool(self._exact or self._wildcards)

    def __contains__(self, uid: object) -> bool:
        return uid in self._exact or any(each.fullmatch(str(uid)) for each in self._wildcards)


NONE = UidPatterns()
