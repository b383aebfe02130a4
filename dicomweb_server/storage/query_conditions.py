"""Conditions of a Shape → SQL expressions (SQLAlchemy Core). Their values are bound under v0, v1, … in plan order."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import LabelsConstraint, View
from dicomweb_server.storage.annotation_tables import label
from dicomweb_server.storage.query_plan import Condition, Kind, Shape
from dicomweb_server.storage.query_terms import Comparison
from dicomweb_server.storage.tables import TABLE_OF_LEVEL, extra_value, instance, patient, series, study

Bind = BindParameter[object]
Expression = ColumnElement[bool]

_WORD_ENDS = "^=,-\\"
# Below the study, what finds a few rows by an index.
_SELECTIVE = frozenset({"series_uid", "instance_uid"})


class Binds:
    """Gives out parameters one after the other."""

    def __init__(self) -> None:
        self._count = 0

    def take(self, number: int) -> list[Bind]:
        """The next few."""
        names = [f"v{n}" for n in range(self._count, self._count + number)]
        self._count += number
        return [bindparam(name) for name in names]


def rows(shape: Shape) -> FromClause:
    """The rows of a search, joined with those of their parents.

    Where nothing finds a few rows directly, SQLite must begin with the studies: only then come rows in the order of
    the answer, and a page does not have to sort all.
    """
    return joined_rows(shape.level, is_downward=not any(_is_selective(condition) for condition in shape.conditions))


def counted_rows(shape: Shape) -> FromClause:
    """The rows of a search without those of parents on which it has no conditions."""
    is_study_needed = shape.in_study or any(c.source.level is Level.STUDY for c in shape.conditions)
    is_study_needed = is_study_needed or shape.view is not None
    if shape.level < Level.SERIES or is_study_needed:
        return rows(shape)
    is_series_needed = shape.in_series or any(c.source.level is Level.SERIES for c in shape.conditions)
    if shape.level is Level.INSTANCE and not is_series_needed:
        return instance
    return series if shape.level is Level.SERIES else instance.join(series, series.c.id == instance.c.series)


def joined_rows(level: Level, *, is_downward: bool = False) -> FromClause:
    """The rows of a level and of their parents. The unary plus of `is_downward` keeps SQLite from going upwards."""
    if level is Level.PATIENT:
        return patient
    if level is Level.STUDY:
        return study
    plus = "+" if is_downward else ""
    joined: FromClause = series.join(study, literal_column(f"{plus}study.id") == series.c.study)
    if level is Level.INSTANCE:
        joined = joined.join(instance, literal_column(f"{plus}series.id") == instance.c.series)
    return joined


def _is_selective(condition: Condition) -> bool:
    if condition.source.kind is Kind.FORMS:
        return True
    equal = set(condition.comparisons) <= {Comparison.EQUAL, Comparison.ONE_OF}
    return condition.source.column in _SELECTIVE and equal


def where(shape: Shape, binds: Binds, depth: Level | None = None) -> list[Expression]:
    """All conditions of a search; those on lower levels too, if their rows are joined down to `depth`."""
    found: list[Expression] = []
    if shape.in_study:
        found.append(study.c.study_uid == binds.take(1)[0])
    if shape.in_series:
        found.append(series.c.series_uid == binds.take(1)[0])
    found += [_expression(condition, binds) for condition in shape.conditions]
    if shape.view is not None:
        found.append(_in_view(shape.level, shape.view))
    if depth is not None and depth > shape.level:
        found += [_expression(condition, binds) for condition in shape.below]
    elif shape.below:
        found.append(_below(shape, binds))
    return found


def _below(shape: Shape, binds: Binds) -> Expression:
    """One row of a lower level meets all conditions on lower levels."""
    depth = max(condition.source.level for condition in shape.below)
    upper = TABLE_OF_LEVEL[shape.level]
    lower = [TABLE_OF_LEVEL[level] for level in Level if shape.level < level <= depth]
    joined: FromClause = lower[0]
    for above, table in pairwise(lower):
        joined = joined.join(table, table.c[above.name] == above.c.id)
    inner: Select[Any] = select(literal_column("1")).select_from(joined).where(lower[0].c[upper.name] == upper.c.id)
    inner = inner.where(*[_expression(condition, binds) for condition in shape.below])
    return exists(inner.correlate(upper))


def _in_view(level: Level, view: View) -> Expression:
    """Whether a study is one of those that the view has; whether a patient has such a study.

    Looked up for each candidate: what a view has may be most of what there is.
    """
    named = select(func.json_each(orjson.dumps(view.labels).decode()).table_valued("value").c.value)
    counted = select(func.count()).where(
        label.c.level == int(Level.STUDY), label.c.owner == study.c.id, label.c.label.in_(named)
    )
    number = counted.correlate(study).scalar_subquery()
    is_visible: Expression = number >= (len(set(view.labels)) if view.constraint is LabelsConstraint.ALL else 1)
    if view.constraint is LabelsConstraint.NONE:
        is_visible = number == 0
    if level is not Level.PATIENT:
        return is_visible
    return exists(select(literal_column("1")).where(study.c.patient == patient.c.id, is_visible).correlate(patient))


def _expression(condition: Condition, binds: Binds) -> Expression:
    table = TABLE_OF_LEVEL[condition.source.level]
    values = binds.take(sum(comparison.values for comparison in condition.comparisons))
    if condition.source.kind is Kind.FORMS:
        return _has_form(condition, table.c.id, values)
    column: Column[object] = table.c[condition.source.column]
    words = [_word(column, bind) for bind in binds.take(condition.words)]
    met = _any_met(condition, column, values, [and_(*words)] if words else [])
    return and_(_is_candidate(binds.take(1)[0]), met) if condition.is_narrowed else met


def _any_met(
    condition: Condition, column: Column[object], values: list[Bind], by_words: list[Expression]
) -> Expression:
    """Whether one of the comparisons is met, by the column or by a value that it cannot tell."""
    source = condition.source
    tests = list(_tests(column, condition.comparisons, values, source.kind))
    if not condition.odd:
        return or_(*tests, *by_words) if tests else true()
    pairs = list(zip(tests, condition.comparisons, strict=True))
    whole = [test for test, comparison in pairs if _is_whole(comparison, source.kind)]
    single = [test for test, comparison in pairs if not _is_whole(comparison, source.kind)]
    plain = [and_(or_(*single), _is_plain(column, source.kind))] if single else []
    forms = [_has_form(condition, column.table.c.id, values)] if single else []
    return or_(*whole, *plain, *by_words, *forms)


def _is_candidate(question: Bind) -> Expression:
    """Whether trigrams let a study be one that is searched for."""
    candidates: Select[Any] = select(literal_column("rowid")).select_from(text("study_trigram"))
    asked = literal_column("study_trigram").op("MATCH", is_comparison=True)(question)
    return study.c.id.in_(candidates.where(asked))


def _is_whole(comparison: Comparison, kind: Kind) -> bool:
    """Whether the column decides, however many values it has: what is looked for cannot reach from one to the next."""
    return comparison is Comparison.EMPTY or (comparison is Comparison.CONTAINS and kind is Kind.NAME)


def _tests(
    column: ColumnElement[object], comparisons: Sequence[Comparison], values: list[Bind], kind: Kind
) -> Iterator[Expression]:
    start = 0
    for comparison in comparisons:
        yield _test(column, comparison, values[start : start + comparison.values], kind)
        start += comparison.values


def _test(column: ColumnElement[object], comparison: Comparison, values: list[Bind], kind: Kind) -> Expression:
    match comparison:
        case Comparison.EQUAL:
            return column == values[0]
        case Comparison.ONE_OF:
            return column.in_(select(func.json_each(values[0]).table_valued("value").c.value))
        case Comparison.CONTAINS:
            return func.instr(column, values[0]) > literal_column("0")
        case Comparison.EMPTY:
            return _is_empty(column, kind)
        case Comparison.NEVER:
            return false()
        case _:
            return _ordered(column, comparison, values)


def _ordered(column: ColumnElement[object], comparison: Comparison, values: list[Bind]) -> Expression:
    """Comparisons that an index serves by its order, and patterns."""
    match comparison:
        case Comparison.PREFIX:
            return and_(column >= values[0], column < values[1])
        case Comparison.FROM:
            return column >= values[0]
        case Comparison.UNTIL:
            return and_(column <= values[0], column > literal_column("''"))
        case Comparison.BETWEEN:
            return and_(column >= values[0], column <= values[1])
        case Comparison.PREFIX_AND_GLOB:
            return and_(column >= values[0], column < values[1], column.op("GLOB", is_comparison=True)(values[2]))
        case _:
            return column.op("GLOB", is_comparison=True)(values[0])


def _is_empty(column: ColumnElement[object], kind: Kind) -> Expression:
    fill = "'\\= ^'" if kind is Kind.NAME else "'\\ '"
    return func.coalesce(func.trim(column, literal_column(fill)), literal_column("''")) == literal_column("''")


def _is_plain(column: ColumnElement[object], kind: Kind) -> Expression:
    """Whether the column alone decides about a row (`searchable.extra_forms` has nothing for it)."""
    if kind is Kind.NUMBER:
        return func.typeof(column) == literal_column("'integer'")
    if kind is Kind.DATE:
        return and_(func.length(column) == literal_column("8"), column.op("NOT GLOB")(literal_column("'*[^0-9]*'")))
    if kind is Kind.TIME:
        return column.op("NOT GLOB")(literal_column("'*[^0-9.]*'"))
    no_backslash = func.instr(column, literal_column("'\\'")) == literal_column("0")
    if kind is Kind.NAME:
        return and_(no_backslash, func.instr(column, literal_column("'='")) == literal_column("0"))
    return and_(no_backslash, func.trim(column, literal_column("' '")) == column)


def _word(column: ColumnElement[object], word: Bind) -> Expression:
    """Whether a word of the name begins so; the cheap test of the two first."""
    spaced: ColumnElement[str] = column  # type: ignore[assignment]
    for end in _WORD_ENDS:
        spaced = func.replace(spaced, literal_column(f"'{end}'"), literal_column("' '"))
    start = literal_column("' '", Text).concat(word)
    is_start = func.instr(literal_column("' '", Text).concat(spaced), start) > literal_column("0")
    return and_(func.instr(column, word) > literal_column("0"), is_start)


def _has_form(condition: Condition, owner: ColumnElement[int], values: list[Bind]) -> Expression:
    """Whether one of the values of the attribute that the column cannot tell is as wanted."""
    source = condition.source
    pairs = zip(
        _tests(extra_value.c.form, condition.comparisons, values, Kind.TEXT), condition.comparisons, strict=True
    )
    tests = [test for test, comparison in pairs if not _is_whole(comparison, source.kind)]
    owners = select(extra_value.c.owner).where(
        extra_value.c.path == literal_column(f"'{source.path}'"),
        # The plus keeps SQLite from reading all rows of the level instead of those of the path.
        literal_column("+extra_value.level") == literal_column(str(int(source.level))),
        or_(*tests),
    )
    return owner.in_(owners)
