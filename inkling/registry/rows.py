"""The conversion of table rows to records."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Column, ColumnElement, Connection, DateTime, Row, Table, Text, cast, func, literal, select

from inkling.digit import DIGIT_NAMES
from inkling.network.evaluation import Evaluation
from inkling.network.recipe import Recipe
from inkling.registry.records import Comparison, Correction, Progress, Promotion, Run, Stage, Version
from inkling.registry.tables import UtcDateTime, versions

R = TypeVar("R", Run, Progress, Version, Promotion, Correction)

TRACEPARENT = "traceparent"
"""Where the column `recipe` keeps the trace of a run, beside the fields of a recipe: releases ignore other names."""
FORMER_COMPARISON_FIELDS = {"candidate_alone": "candidate_only_correct", "served_alone": "served_only_correct"}
"""The names of some fields of a comparison in 0.1, by which its registries are read."""


def now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


def database_time(connection: Connection, after_s: float = 0) -> ColumnElement[datetime]:
    """Return the time of the database's clock, `after_s` seconds later, as an expression of its SQL.

    PostgreSQL's clock is the same for all, however wrong those of servers and trainers are. A SQLite file is of one
    machine, whose clock this is.
    """
    return time_of(connection.dialect.name, after_s)


def time_of(dialect: str, after_s: float = 0) -> ColumnElement[datetime]:
    """Return the time of the clock of a kind of database, as `database_time` does."""
    if dialect == "postgresql":
        return func.clock_timestamp(type_=DateTime(timezone=True)) + timedelta(seconds=after_s)
    return literal(now() + timedelta(seconds=after_s), UtcDateTime())


def newest_rows(
    connection: Connection,
    table: Table,
    key: Column[Any],
    limit: int,
    before: int | None,
    *conditions: ColumnElement[bool],
) -> list[Row[Any]]:
    """Return at most `limit` rows, newest first; if `before` is given, only those with a smaller key.

    Versions that were deleted are left out. The scores of versions come as text, for `to_version`.
    """
    columns = (cast(c, Text).label(c.name) if c is versions.c.evaluation else c for c in table.c)
    query = select(*columns).where(*conditions).order_by(key.desc()).limit(limit)
    if "deleted_at" in table.c:
        query = query.where(table.c.deleted_at.is_(None))
    return list(connection.execute(query if before is None else query.where(key < before)).all())


def to_run(row: Row[Any]) -> Run:
    recipe = Recipe.model_validate(row.recipe, extra="ignore")  # recipes of other releases may have more fields
    stages = tuple(Stage(name, datetime.fromisoformat(started_at)) for name, started_at in row.stages or ())
    return _record(Run, row, recipe=recipe, stages=stages, traceparent=row.recipe.get(TRACEPARENT))


def to_progress(row: Row[Any]) -> Progress:
    return _record(Progress, row)


def to_version(row: Row[Any]) -> Version:
    evaluation = None
    if row.measured_by:
        stored = row.evaluation
        evaluation = _read_evaluation(stored) if isinstance(stored, str) else _to_evaluation(stored)
    return _record(
        Version,
        row,
        evaluation=evaluation,
        measured_by=row.measured_by if evaluation else None,
        classes=class_names(row.classes),
    )


@lru_cache(maxsize=256)
def _read_evaluation(text: str) -> Evaluation | None:
    """Return stored scores: to check them takes longer than all else in a list of versions."""
    return _to_evaluation(json.loads(text))


def _to_evaluation(stored: Any) -> Evaluation | None:
    try:
        return Evaluation.model_validate(stored)
    except ValidationError:  # of a release that checked less
        return None


def class_names(stored: list[str] | None) -> tuple[str, ...]:
    """Return the names of a version's classes; those of digits are not stored."""
    return tuple(stored) if stored else DIGIT_NAMES


def to_promotion(row: Row[Any]) -> Promotion:
    return _record(Promotion, row, comparison=_comparison(row.comparison))


def to_correction(row: Row[Any]) -> Correction:
    return _record(Correction, row, image=bytes(row.image))


def _comparison(values: dict[str, Any] | None) -> Comparison | None:
    """Return a recorded comparison, also with the field names of 0.1."""
    if values is None:
        return None
    named = {FORMER_COMPARISON_FIELDS.get(name, name): value for name, value in values.items()}
    return Comparison(**named | {"people": _comparison(named.get("people"))})


def _record(cls: type[R], row: Row[Any], **parsed: Any) -> R:
    values = {**row._mapping, **parsed}
    return cls(**{field.name: values[field.name] for field in fields(cls)})
