"""Shapes → statements: built with SQLAlchemy Core, compiled once for each shape, run with the values of each query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BLOB, ColumnElement, Select, Subquery, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects import sqlite

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.query import Order
from dicomweb_server.storage.query_answer import Field, column_sql, computed_order_sql, object_sql
from dicomweb_server.storage.query_conditions import Binds, counted_rows, joined_rows, rows, where
from dicomweb_server.storage.query_plan import Shape
from dicomweb_server.storage.tables import FOLDED, TABLE_OF_LEVEL, instance, patient, series, study

# Between the objects of a page, which are one value: every step of a statement costs a turn at the interpreter's lock.
SEPARATOR = b"\x1e"
_KEPT = 512
_dialect = sqlite.dialect(paramstyle="qmark")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text, the names of its parameters in their order, and those parameters that are always the same."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, object]

    def parameters(self, values: Sequence[object], **named: object) -> list[object]:
        """`values`: of a plan, for v0, v1, …; the other parameters by their names."""
        given: Mapping[str, object] = {**self.constants, **{f"v{n}": value for n, value in enumerate(values)}, **named}
        return [given[name] for name in self.names]


def _compiled(statement: "Select[*tuple[Any, ...]]") -> Statement:
    compiled = statement.compile(dialect=_dialect)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Statement(str(compiled), tuple(compiled.positiontup or ()), constants)


def _default_order(shape: Shape) -> list[ColumnElement[Any]]:
    """Newest studies first, series and instances by their numbers; the same whenever it is asked."""
    if shape.level is Level.PATIENT:
        return [patient.c.patient_name_folded, patient.c.id]
    order: list[ColumnElement[Any]] = []
    if not shape.in_study:
        order += [study.c.study_date.desc(), study.c.study_time.desc(), study.c.id.desc()]
    if shape.level >= Level.SERIES and not shape.in_series:
        order += [series.c.series_number, series.c.id]
    if shape.level is Level.INSTANCE:
        order += [instance.c.instance_number, instance.c.id]
    return order or [study.c.id]


def _order(shape: Shape, orders: tuple[Order, ...]) -> list[ColumnElement[Any]]:
    wanted: list[ColumnElement[Any]] = []
    for order in orders:
        attribute = BY_TAG.get(order.tag)
        name = column_sql(attribute, shape.level) if attribute else computed_order_sql(order.tag)
        if attribute and attribute.vr == "PN":
            name = name.removesuffix('"') + FOLDED + '"'
        column: ColumnElement[Any] = literal_column(name)
        wanted.append(column.desc() if order.descending else column.asc())
    return wanted + _default_order(shape)


def _object(fields: tuple[Field, ...], level: Level) -> ColumnElement[str]:
    return literal_column(object_sql(fields, level))


def _page_ids(shape: Shape, orders: tuple[Order, ...]) -> Subquery:
    """The ids of a page, found before anything is written, so that sorting many candidates stays cheap."""
    return (
        select(TABLE_OF_LEVEL[shape.level].c.id.label("id"))
        .select_from(rows(shape))
        .where(*where(shape, Binds()))
        .order_by(*_order(shape, orders))
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
        .subquery("page")
    )


@lru_cache(maxsize=_KEPT)
def page_statement(
    shape: Shape, fields: tuple[Field, ...], orders: tuple[Order, ...], *, is_counted: bool
) -> Statement:
    """One row: the objects of a page in one value, and the number of all matches (with `is_counted`) or NULL.

    Parameters: `limit`, `offset`; `full`: the length of a page from which on the matches are counted; `most`: how far.
    """
    page = _page_ids(shape, orders)
    objects = _objects(page, fields, shape.level)
    if not is_counted:
        return _compiled(select(objects, literal_column("NULL")).select_from(page))
    is_full = func.count() >= bindparam("full")
    total = func.iif(is_full, _count(shape, is_bounded=True).scalar_subquery(), literal_column("NULL"))
    return _compiled(select(objects, total).select_from(page))


@lru_cache(maxsize=_KEPT)
def objects_statement(level: Level, fields: tuple[Field, ...]) -> Statement:
    """One value: the objects of some `ids` (a JSON array) in their order, without those whose rows are gone."""
    page = select(func.json_each(bindparam("ids")).table_valued("value").c.value.label("id")).subquery("page")
    return _compiled(select(_objects(page, fields, level)).select_from(page))


def _objects(page: Subquery, fields: tuple[Field, ...], level: Level) -> ColumnElement[bytes]:
    is_row = TABLE_OF_LEVEL[level].c.id == page.c.id
    written = select(_object(fields, level)).select_from(joined_rows(level)).where(is_row)
    return cast(func.group_concat(written.correlate(page).scalar_subquery(), literal_column("char(30)")), BLOB)


@lru_cache(maxsize=_KEPT)
def count_statement(shape: Shape) -> Statement:
    """The number of all matches. Parameter: `most`."""
    return _compiled(_count(shape, is_bounded=True))


def _count(shape: Shape, *, is_bounded: bool = False) -> Select[Any]:
    """From the counters of the lowest level that the conditions name, where there are any.

    `is_bounded`: rows of lower levels are counted no further than up to the parameter `most`.
    """
    lowest = max((condition.source.level for condition in shape.conditions), default=Level.PATIENT)
    lowest = max(lowest, Level.SERIES if shape.in_series else Level.STUDY)
    conditions = where(shape, Binds())
    if shape.level > lowest and not shape.below:
        counter = TABLE_OF_LEVEL[lowest].c["series_count" if shape.level is Level.SERIES else "instance_count"]
        counted = rows(Shape(lowest, conditions=shape.conditions))
        return select(func.coalesce(func.sum(counter), 0)).select_from(counted).where(*conditions)
    if not is_bounded or shape.level < Level.SERIES:
        return select(func.count()).select_from(counted_rows(shape)).where(*conditions)
    counted = counted_rows(shape)
    some: Select[Any] = select(literal_column("1")).select_from(counted).where(*conditions).limit(bindparam("most"))
    return select(func.count()).select_from(some.subquery("some"))


@lru_cache(maxsize=_KEPT)
def candidates_statement(shape: Shape, orders: tuple[Order, ...]) -> Statement:
    """The ids of what has to be verified, in the order of the answer."""
    statement = select(TABLE_OF_LEVEL[shape.level].c.id).select_from(rows(shape)).where(*where(shape, Binds()))
    return _compiled(statement.order_by(*_order(shape, orders)))


@lru_cache(maxsize=_KEPT)
def ids_statement(shape: Shape, orders: tuple[Order, ...]) -> Statement:
    """One value: the ids of a page in the order of the answer, a JSON array. Parameters: `limit`, `offset`."""
    page = _page_ids(shape, orders)
    return _compiled(select(func.json_group_array(page.c.id)).select_from(page))


@lru_cache(maxsize=_KEPT)
def documents_statement(shape: Shape, fields: tuple[Field, ...], depth: Level, *, with_metadata: bool) -> Statement:
    """Rows (id, object, metadata, template) of the data sets down to `depth` of some `ids` (a JSON array).

    Those below a row of the search that meet its conditions on lower levels; of a series only its first instance,
    unless these conditions choose instances.
    """
    level = shape.level
    owner = TABLE_OF_LEVEL[level].c.id
    source = joined_rows(level)
    for lower in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        if level < lower <= depth:
            source = source.join(TABLE_OF_LEVEL[lower], _is_below(lower))
    conditions = [owner.in_(_listed("ids")), *where(Shape(level, below=shape.below), Binds(), depth)]
    is_any = any(condition.source.level is Level.INSTANCE for condition in shape.below)
    if with_metadata and level < Level.INSTANCE and not is_any:
        conditions.append(instance.c.id == _first_instance())
    columns = [owner, _object(fields, max(level, depth)), *_metadata_columns(with_metadata=with_metadata)]
    return _compiled(select(*columns).select_from(source).where(*conditions))


def _listed(name: str) -> Select[Any]:
    return select(func.json_each(bindparam(name)).table_valued("value").c.value)


def _is_below(lower: Level) -> ColumnElement[bool]:
    """How a row of a lower level is joined with its parent."""
    above = {Level.STUDY: patient, Level.SERIES: study, Level.INSTANCE: series}[lower]
    joined: ColumnElement[bool] = TABLE_OF_LEVEL[lower].c[above.name] == above.c.id
    return joined


def _first_instance() -> ColumnElement[int]:
    """The instance that speaks for its series: the one that was stored first."""
    first = instance.alias("first")
    return select(func.min(first.c.id)).where(first.c.series == series.c.id).correlate(series).scalar_subquery()


def _first_series() -> ColumnElement[int]:
    """The series that speaks for its study."""
    first = series.alias("first_series")
    return select(func.min(first.c.id)).where(first.c.study == study.c.id).correlate(study).scalar_subquery()


def _metadata_columns(*, with_metadata: bool) -> list[ColumnElement[Any]]:
    return [instance.c.metadata, instance.c.template] if with_metadata else [literal_column("NULL")] * 2


@lru_cache(maxsize=_KEPT)
def rows_statement(
    shape: Shape, fields: tuple[Field, ...], orders: tuple[Order, ...], *, by_ids: bool, with_metadata: bool
) -> Statement:
    """Rows (object, metadata, template) of a page. Parameters: `limit` and `offset`, or `ids` (a JSON array)."""
    level = shape.level
    source = joined_rows(level)
    if with_metadata and level < Level.INSTANCE:
        if level is Level.PATIENT:
            source = source.join(study, study.c.id == _newest_study())
        if level <= Level.STUDY:
            source = source.join(series, series.c.id == _first_series())
        source = source.join(instance, instance.c.id == _first_instance())
    ids = _listed("ids") if by_ids else select(_page_ids(shape, orders).c.id)
    statement = select(_object(fields, level), *_metadata_columns(with_metadata=with_metadata)).select_from(source)
    return _compiled(statement.where(TABLE_OF_LEVEL[level].c.id.in_(ids)).order_by(*_order(shape, orders)))


def _newest_study() -> ColumnElement[int]:
    """The study that speaks for its patient."""
    newest = study.alias("newest")
    return select(func.max(newest.c.id)).where(newest.c.patient == patient.c.id).correlate(patient).scalar_subquery()
