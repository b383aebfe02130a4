"""SQL that writes a match as a DICOM JSON object: SQLite does it without holding the interpreter's lock.

Which attributes an answer has: PS3.18 tables 10.6.3-3 to 10.6.3-5, the keys of the query, and what it includes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import ATTRIBUTES, BY_TAG, Attribute, Level
from dicomweb_server.dicom.information_levels import COMPUTED
from dicomweb_server.dicom.query import Query
from dicomweb_server.storage.tables import INTEGER_VRS, column_of

ROOT = "\x01"  # stands for the URL of the service root
_CHARACTER_SET = 0x00080005
_AVAILABILITY = 0x00080056
_MODALITIES = 0x00080061
_SOP_CLASSES = 0x00080062
_RETRIEVE_URL = 0x00081190
_TRANSFER_SYNTAXES = 0x00083002
# Answered by default, but left out when empty: the standard says "if known", or clients choke on the empty one.
_IF_KNOWN = {
    *(0x00080201, 0x00081030, 0x0008103E, 0x00400244, 0x00400245, 0x00400275),
    *(0x00280008, 0x00280010, 0x00280011, 0x00280100, _MODALITIES, _SOP_CLASSES),
}
_OWN_COMPUTED = {
    Level.PATIENT: (0x00201200, 0x00201202, 0x00201204),
    Level.STUDY: (_AVAILABILITY, _MODALITIES, _RETRIEVE_URL, 0x00201206, 0x00201208),
    Level.SERIES: (_RETRIEVE_URL, 0x00201209),
    Level.INSTANCE: (_AVAILABILITY, _RETRIEVE_URL, _TRANSFER_SYNTAXES),
}
_RELATIONAL_COMPUTED = {Level.STUDY: (_MODALITIES, 0x00201206, 0x00201208), Level.SERIES: (0x00201209,)}
_COUNTS = {
    0x00201200: '(SELECT count(*) FROM study WHERE study."patient" = patient."id")',
    0x00201202: '(SELECT coalesce(sum("series_count"), 0) FROM study WHERE study."patient" = patient."id")',
    0x00201204: '(SELECT coalesce(sum("instance_count"), 0) FROM study WHERE study."patient" = patient."id")',
    0x00201206: 'study."series_count"',
    0x00201208: 'study."instance_count"',
    0x00201209: 'series."instance_count"',
}
_URLS = {
    Level.STUDY: "'/studies/'||study.\"study_uid\"",
    Level.SERIES: "'/studies/'||study.\"study_uid\"||'/series/'||series.\"series_uid\"",
    Level.INSTANCE: "'/studies/'||study.\"study_uid\"||'/series/'||series.\"series_uid\"||'/instances/'||"
    'instance."instance_uid"',
}


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute of the answer. `shown_empty`: also without a value. `odd`: some values need more than SQL."""

    tag: int
    shown_empty: bool
    odd: bool


def fields_of(query: Query, odd_paths: Iterable[str]) -> tuple[Field, ...]:
    """The attributes that the index itself answers to a query, in the order of their tags."""
    odd = {int(path[:8], 16) for path in odd_paths}
    keys = {match.path[0] for match in query.matches}
    chosen = {**dict.fromkeys(_included(query), False), **dict.fromkeys(_required(query), True)}
    chosen |= {tag: True for tag in keys if _is_answered(tag, query.level)}
    return tuple(
        Field(tag, is_required and (tag not in _IF_KNOWN or tag in keys) and tag != _MODALITIES, tag in odd)
        for tag, is_required in sorted(chosen.items())
    )


def all_fields(level: Level, odd_paths: Iterable[str]) -> tuple[Field, ...]:
    """All that the index knows of a row of a level and of its parents."""
    odd = {int(path[:8], 16) for path in odd_paths}
    tags = {attribute.tag for attribute in ATTRIBUTES} | set(COMPUTED)
    return tuple(Field(tag, shown_empty=False, odd=tag in odd) for tag in sorted(tags) if _is_answered(tag, level))


def _is_answered(tag: int, level: Level) -> bool:
    if level is Level.PATIENT and tag in COMPUTED:
        return tag in _COUNTS and COMPUTED[tag][0] is Level.PATIENT
    known = BY_TAG[tag].level if tag in BY_TAG else COMPUTED[tag][0] if tag in COMPUTED else None
    if tag in COMPUTED and known is Level.PATIENT:
        return False
    return known is not None and known <= level


def _included(query: Query) -> Iterator[int]:
    tags = {include.path[0] for include in query.include}
    if query.include_all:
        tags |= {attribute.tag for attribute in ATTRIBUTES} | {_SOP_CLASSES}
    return (tag for tag in tags if _is_answered(tag, query.level))


def _required(query: Query) -> Iterator[int]:
    yield _CHARACTER_SET
    if query.only_included:
        return
    first = _first_level(query)
    for attribute in ATTRIBUTES:
        is_wanted = attribute.default and first <= attribute.level <= query.level
        if is_wanted or (attribute.level < query.level and attribute.tag in (0x0020000D, 0x0020000E, 0x00080201)):
            yield attribute.tag
    for level in Level:
        if first <= level < query.level:
            yield from _RELATIONAL_COMPUTED.get(level, ())
    yield from _OWN_COMPUTED[query.level]


def _first_level(query: Query) -> Level:
    """The highest level whose attributes are answered: those of parents that the path did not name, and its own."""
    if query.series_uid is not None:
        return Level.INSTANCE
    return Level.SERIES if query.study_uid is not None and query.level > Level.STUDY else Level.PATIENT


def object_sql(fields: Iterable[Field], level: Level) -> str:
    """An SQL expression of the JSON object of a row of a level."""
    pieces = [f'\'{{"{_CHARACTER_SET:08X}":{{"vr":"CS","Value":["ISO_IR 192"]}},\'']
    pieces += [_field_sql(field, level) for field in fields if field.tag != _CHARACTER_SET]
    return f"rtrim({'||'.join(pieces)},',')||'}}'"


def _field_sql(field: Field, level: Level) -> str:
    if field.tag in COMPUTED:
        return _computed_sql(field, level)
    attribute = BY_TAG[field.tag]
    column = column_sql(attribute, level)
    value = _value_sql(attribute, column, is_odd=field.odd)
    empty = f'\'"{field.tag:08X}":{{"vr":"{attribute.vr}"}},\'' if field.shown_empty else "''"
    return f'coalesce(\'"{field.tag:08X}":{{"vr":"{attribute.vr}","Value":\'||{value}||\'}},\',{empty})'


def column_sql(attribute: Attribute, level: Level) -> str:
    """The quoted name of an attribute's column in a search at a level."""
    column = column_of(attribute, level)
    return f'{column.table.name}."{column.name}"'


def computed_order_sql(tag: int) -> str:
    """What a search is sorted by when it is to be sorted by a computed attribute."""
    lists = {_MODALITIES: 'study."modalities"', _SOP_CLASSES: 'study."sop_classes"'}
    return _COUNTS.get(tag) or lists.get(tag, "NULL")


def _value_sql(attribute: Attribute, column: str, *, is_odd: bool) -> str:
    if attribute.vr == "SQ":
        return column
    odd = f"dicom_values('{attribute.vr}',{column})"
    if attribute.vr in INTEGER_VRS:
        # A text in a column of integers is always odd, whether or not it has forms of its own.
        return f"CASE typeof({column}) WHEN 'integer' THEN '['||{column}||']' WHEN 'null' THEN NULL ELSE {odd} END"
    if attribute.vr == "PN":
        plain = f"'[{{\"Alphabetic\":'||json_quote({column})||'}}]'"
        is_plain = f"instr({column},'=')+instr({column},'\\')=0"
        return f"CASE WHEN {is_plain} THEN {plain} WHEN {column} IS NOT NULL THEN {odd} END"
    plain = f"'['||json_quote({column})||']'"
    # json_quote of NULL is the text null.
    if not is_odd:
        return f"CASE WHEN {column} IS NOT NULL THEN {plain} END"
    return f"CASE WHEN instr({column},'\\')=0 THEN {plain} WHEN {column} IS NOT NULL THEN {odd} END"


def _computed_sql(field: Field, level: Level) -> str:
    _, vr, _ = COMPUTED[field.tag]
    head = f'"{field.tag:08X}":{{"vr":"{vr}","Value":['
    if field.tag in _COUNTS:
        return f"'{head}'||{_COUNTS[field.tag]}||']}},'"
    if field.tag == _AVAILABILITY:
        return f"'{head}\"ONLINE\"]}},'"
    if field.tag == _RETRIEVE_URL:
        return f"'{head}\"{ROOT}'||{_URLS[level]}||'\"]}},'"
    if field.tag == _TRANSFER_SYNTAXES:
        return f"'{head}\"'||instance.\"transfer_syntax_uid\"||'\"]}},'"
    column = 'study."modalities"' if field.tag == _MODALITIES else 'study."sop_classes"'
    # \CT\SR\ is "CT","SR": the text is quoted as JSON first, which doubles the backslashes.
    values = f"""'"'||replace(substr(json_quote({column}),4,length(json_quote({column}))-6),'\\\\','","')||'"'"""
    return f"CASE WHEN length({column})>1 THEN '{head}'||{values}||']}},' ELSE '' END"
