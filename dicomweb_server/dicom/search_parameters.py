"""Parameters of a search (PS3.18 §8.3.4, §10.6.1) → Query, and warnings about what is passed over; does no I/O.

Refuses what it cannot obey, with the parameter's name and what was expected; never repeats a value.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.attribute_path import (
    AttributePath,
    attribute_path,
    is_misspelt,
    is_private,
    is_private_creator,
)
from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.dictionary import private_vr
from dicomweb_server.dicom.information_levels import COMPUTED, attribute_level
from dicomweb_server.dicom.matching_key import Key, MatchingRules, matching_keys
from dicomweb_server.dicom.query import Include, Match, Order, Query
from dicomweb_server.errors import Reason, ServerError

Pairs = Sequence[tuple[str, str]]

MAX_KEYS = 100
MAX_INCLUDES = 1000
_FARTHEST = 2**62  # an offset beyond it is the same as it: past the end
_SWITCHES = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching", "combineddatetime", "count")
_LISTS = ("includefield", "orderby")
_NUMBERS = ("limit", "offset")
_PARAMETERS = frozenset((*_SWITCHES, *_LISTS, *_NUMBERS, "accept", "charset"))
_NOT_OF_WORKLIST = frozenset({"orderby", "count", "combineddatetime"})
_ATTRIBUTE = re.compile(r"[A-Z0-9.]", re.ASCII)
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,40}", re.ASCII)
_UTF_8 = re.compile(r"utf-?8|\*", re.IGNORECASE)
_NOT_IN_HEADER = re.compile(r"[^A-Za-z0-9._-]")
# What C-FIND identifiers carry beside keys; of no meaning to matching (PS3.4 C.4.1.1.3.1).
_NO_KEYS = frozenset({0x00080005, 0x00080052})


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search, and what to warn its client of; the warnings fit into a header field."""

    query: Query
    warnings: tuple[str, ...] = ()


def search_request(
    level: Level, pairs: Pairs, study_uid: str | None = None, series_uid: str | None = None
) -> SearchRequest:
    """The search that a request for a resource means; ServerError(BAD_REQUEST) if it means none."""
    for name, uid in (("study", study_uid), ("series", series_uid)):
        if uid is not None and not _UID.fullmatch(uid):
            raise _refusal(f"the {name} in the path: expected a UID (digits and dots, at most 64)")
    return _request(_Reading(level, pairs), study_uid, series_uid)


def worklist_request(pairs: Pairs) -> SearchRequest:
    """The search for scheduled steps or workitems that a request means (PS3.18 §11.9.1, §14.4.1).

    ServerError(BAD_REQUEST). A range of start dates and one of start times are one interval (PS3.4 §K.2.2.1.2).
    """
    if refused := [name for name, _ in pairs if name in _NOT_OF_WORKLIST]:
        raise _refusal(f"parameter {refused[0]}: what is scheduled comes by its start, and is not counted")
    # No attribute is one of a lower level.
    return _request(_Reading(Level.INSTANCE, [*pairs, ("combineddatetime", "true")]))


def filter_matches(pairs: Pairs) -> tuple[Match, ...]:
    """The matching keys of a subscription, which are all it has (PS3.18 §11.10.1.2); ServerError(BAD_REQUEST)."""
    if refused := [name for name, _ in pairs if attribute_path(name) is None]:
        raise _refusal(f"key {_shown(refused[0])}: expected a keyword, a tag of eight hexadecimal digits, or a path")
    return worklist_request(pairs).query.matches


def _request(reading: "_Reading", study_uid: str | None = None, series_uid: str | None = None) -> SearchRequest:
    switches = {name: reading.switch(name) for name in _SWITCHES}
    rules = MatchingRules(
        empty_value=switches["emptyvaluematching"],
        multiple_value=switches["multiplevaluematching"],
        combined_datetime=switches["combineddatetime"],
    )
    query = Query(
        level=reading.level,
        study_uid=study_uid,
        series_uid=series_uid,
        matches=reading.matches(rules),
        include=reading.includes(),
        include_all=reading.include_all,
        fuzzy=switches["fuzzymatching"],
        combined_datetime=rules.combined_datetime,
        limit=reading.number("limit"),
        offset=min(reading.number("offset") or 0, _FARTHEST),
        order=reading.order(),
        count_total=switches["count"],
    )
    return SearchRequest(query, tuple(dict.fromkeys(reading.warnings)))


def _refusal(detail: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, detail)


def _shown(name: str) -> str:
    """A client's name for something, fit for messages and header fields."""
    return _NOT_IN_HEADER.sub("?", name[:64])


@dataclass(frozen=True, slots=True)
class _Named:
    """A key or field of the client, found in the dictionary."""

    name: str
    path: AttributePath
    text: str = ""


class _Reading:
    """The parameters of one request, sorted by what they are."""

    def __init__(self, level: Level, pairs: Pairs) -> None:
        self.warnings: list[str] = []
        self.include_all = False
        self.level = level
        self._single: dict[str, str] = {}
        self._fields: list[str] = []
        self._orders: list[str] = []
        self._keys: list[_Named] = []
        for name, value in pairs:
            self._sort(name, value)
        if len(self._keys) > MAX_KEYS:
            raise _refusal(f"expected at most {MAX_KEYS} matching keys")
        if len(self._fields) > MAX_INCLUDES:
            raise _refusal(f"includefield: expected at most {MAX_INCLUDES} attributes")
        if not _UTF_8.search(self._single.get("charset", "utf-8")):
            self.warnings.append("The answer is in UTF-8, which charset does not allow")
        self._named_fields = list(self._find_fields())
        self._creators = self._find_creators()

    def _sort(self, name: str, value: str) -> None:
        if name == "includefield":
            self._fields += [field for part in value.split(",") if (field := part.strip())]
        elif name == "orderby":
            self._orders += [part.strip() for part in value.split(",")]
        elif name in _PARAMETERS:
            if name in self._single:
                raise _refusal(f"parameter {name}: expected once")
            self._single[name] = value
        else:
            self._add_key(name, value)

    def _add_key(self, name: str, value: str) -> None:
        path = attribute_path(name)
        if path is not None:
            self._keys.append(_Named(name, path, value))
            return
        if name.lower() in _PARAMETERS or is_misspelt(name):
            raise _refusal(f"parameter {_shown(name)}: the case of letters counts in names")
        if not name or _ATTRIBUTE.match(name):
            raise _refusal(
                f"key {_shown(name)}: expected a keyword, a tag of eight hexadecimal digits, or a path of these"
            )
        self.warnings.append(f"The parameter {_shown(name)} is unknown and was ignored")

    def switch(self, name: str) -> bool:
        """The value of a parameter that is true or false."""
        value = self._single.get(name, "false")
        if value not in ("true", "false"):
            raise _refusal(f"parameter {name}: expected true or false")
        return value == "true"

    def number(self, name: str) -> int | None:
        """The value of a parameter that counts something."""
        value = self._single.get(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise _refusal(f"parameter {name}: expected a whole number, 0 or more")
        return min(int(value), _FARTHEST)

    def matches(self, rules: MatchingRules) -> tuple[Match, ...]:
        """The matching keys; a private creator's element only tells of the private keys beside it."""
        found: dict[tuple[tuple[int, ...], str | None], tuple[Match, ...]] = {}
        for key in self._keys:
            if key.path.tags in self._creators or key.path.tags[-1] in _NO_KEYS:
                continue
            tags, creator = self._resolved(key)
            vr = key.path.vr
            if vr == "UN" and creator is not None:
                known = private_vr(creator, key.path.tags[-1])
                vr = "LO" if known == "UN" else known
            if (tags, creator) in found:
                raise _refusal(f"key {_shown(key.name)}: the attribute is given twice")
            found[tags, creator] = matching_keys(Key(_shown(key.name), tags, vr, creator), key.text, rules)
        return tuple(match for matches in found.values() for match in matches)

    def includes(self) -> tuple[Include, ...]:
        """The attributes to answer, without those that the level does not have."""
        found: dict[Include, None] = {}
        for named in self._named_fields:
            level = attribute_level(named.path.tags[0])
            if level is not None and level > self.level:
                self.warnings.append(f"{_shown(named.name)} belongs to a lower level and is not returned")
                continue
            tags, creator = self._resolved(named, required=False)
            found[Include(tags, creator)] = None
        return tuple(found)

    def order(self) -> tuple[Order, ...]:
        """The sort keys (an extension): `orderby=-StudyDate,PatientName`."""
        orders: dict[int, Order] = {}
        for text in self._orders:
            path = attribute_path(text.removeprefix("-"))
            tag = path.tags[0] if path is not None and len(path.tags) == 1 else 0
            attribute, computed = BY_TAG.get(tag), COMPUTED.get(tag)
            level = attribute.level if attribute and attribute.vr != "SQ" else computed[0] if computed else None
            if level is None or level > self.level:
                raise _refusal(f"orderby: {_shown(text)} is not an indexed attribute of this level or above")
            orders.setdefault(tag, Order(tag, text.startswith("-")))
        return tuple(orders.values())

    def _find_fields(self) -> Iterable[_Named]:
        for field in dict.fromkeys(self._fields):
            path = attribute_path(field)
            if field == "all":
                self.include_all = True
            elif path is None:
                self.warnings.append(f"The attribute {_shown(field)} in includefield is unknown and was ignored")
            else:
                yield _Named(field, path)

    def _find_creators(self) -> dict[tuple[int, ...], str]:
        """Path of a private creator's element → the creator, for those that another key or field refers to."""
        wanted = {_creator_path(named.path) for named in (*self._keys, *self._named_fields)} - {None}
        given: dict[tuple[int, ...], str] = {}
        for key in self._keys:
            tags = key.path.tags
            if tags in wanted and key.text.strip():
                if tags in given:
                    raise _refusal(f"key {_shown(key.name)}: the attribute is given twice")
                given[tags] = key.text.strip()
        return given

    def _resolved(self, named: _Named, *, required: bool = True) -> tuple[tuple[int, ...], str | None]:
        """The path with its private tags freed of their block, and the creator of the block."""
        creator_path = _creator_path(named.path)
        if creator_path is None:
            return named.path.tags, None
        creator = self._creators.get(creator_path)
        if creator is None:
            if required:
                raise _refusal(
                    f"key {_shown(named.name)}: a private attribute needs its private creator as another key, "
                    f"{creator_path[-1]:08X}"
                )
            return named.path.tags, None
        return tuple(_without_block(tag) for tag in named.path.tags), creator


def _without_block(tag: int) -> int:
    return tag & 0xFFFF00FF if is_private(tag) and not is_private_creator(tag) else tag


def _creator_path(path: AttributePath) -> tuple[int, ...] | None:
    """Where the creator of a path's private block is; None for a path without one."""
    position = path.private_at
    if position is None or is_private_creator(path.tags[position]):
        return None
    tag = path.tags[position]
    return (*path.tags[:position], tag & 0xFFFF0000 | tag >> 8 & 0xFF)
