"""Corrections in the database: images with the digits that people say they show; answers that await a correction."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, update

from inkling.errors import FeedbackQuotaError, UnknownCorrectionError, UnknownPredictionError
from inkling.registry.database import Database
from inkling.registry.records import Answered, Correction, FeedbackScore
from inkling.registry.rows import class_names, newest_rows, now, to_correction
from inkling.registry.tables import corrections, remembered_predictions, versions

MAX_REMEMBERED = 10_000
"""Predictions that await a correction: 8 MB. The oldest make room."""
REMEMBERED_FOR = timedelta(hours=1)


class Corrections:
    """The corrections of a registry. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, answers: Sequence[Answered]) -> list[str]:
        """Keep answers for an hour, so that they can be corrected; return an id for each, which nobody can guess."""
        ids = [secrets.token_urlsafe(18) for _ in answers]
        with self._database.write() as connection:
            forget_old(connection)
            rows = [
                {"prediction_id": prediction_id, "created_at": now(), **vars(answer)}
                for prediction_id, answer in zip(ids, answers, strict=True)
            ]
            connection.execute(insert(remembered_predictions), rows)
        return ids

    def add(
        self,
        answers: Sequence[Answered],
        labels: Sequence[int | None],
        source: str | None = None,
        max_corrections: int | None = None,
    ) -> list[Correction]:
        """Add images that were answered, each with its true digit, or None for no digit.

        Raises:
            FeedbackQuotaError: there would be more than `max_corrections`.
        """
        with self._database.write() as connection:
            _require_room(connection, len(answers), max_corrections)
            return [_insert(connection, answer, label, source) for answer, label in zip(answers, labels, strict=True)]

    def add_imported(
        self,
        images: Sequence[bytes],
        labels: Sequence[int | None],
        sources: Sequence[str | None],
        max_corrections: int | None = None,
    ) -> None:
        """Add images that nobody answered, all or none.

        Raises:
            FeedbackQuotaError: there would be more than `max_corrections`.
        """
        rows = [
            {"image": image, "label": label, "source": source, "created_at": now()}
            for image, label, source in zip(images, labels, sources, strict=True)
        ]
        with self._database.write() as connection:
            _require_room(connection, len(rows), max_corrections)
            if rows:
                connection.execute(insert(corrections), rows)

    def correct(
        self, prediction_id: str, label: int | None, source: str | None = None, max_corrections: int | None = None
    ) -> Correction:
        """Add a remembered prediction with its true digit, or None for no digit; the last label of several counts.

        Raises:
            UnknownPredictionError: no such prediction is remembered.
            FeedbackQuotaError: there would be more than `max_corrections`.
        """
        with self._database.write() as connection:
            same = corrections.c.prediction_id == prediction_id
            if row := connection.execute(select(corrections).where(same)).one_or_none():
                is_correct = _is_correct(row.digit, label, is_digit=row.is_digit)
                values = {"label": label, "is_correct": is_correct, "source": source or row.source}
                return to_correction(
                    connection.execute(update(corrections).where(same).values(values).returning(corrections)).one()
                )
            remembered = remembered_predictions.c.prediction_id == prediction_id
            row = connection.execute(select(remembered_predictions).where(remembered)).one_or_none()
            if row is None or row.created_at < now() - REMEMBERED_FOR:
                raise UnknownPredictionError(
                    f"no prediction {prediction_id[:32]!r} is remembered: it is forgotten after an hour, and when its "
                    "correction is deleted"
                )
            _require_room(connection, 1, max_corrections)
            connection.execute(delete(remembered_predictions).where(remembered))
            answer = Answered(bytes(row.image), row.version, row.digit, row.confidence, row.is_digit)
            return _insert(connection, answer, label, source, prediction_id)

    def get(self, correction_id: int) -> Correction:
        """Return a correction.

        Raises:
            UnknownCorrectionError: there is no such correction.
        """
        with self._database.read() as connection:
            row = connection.execute(select(corrections).where(corrections.c.id == correction_id)).one_or_none()
        if row is None:
            raise UnknownCorrectionError(f"there is no correction {correction_id}")
        return to_correction(row)

    def newest(self, limit: int, before: int | None = None, **equal: Any) -> list[Correction]:
        """Return the newest corrections, newest first; if `before` is given, only those with a smaller id.

        Args:
            limit: the largest number of them.
            before: an id.
            equal: the value that a column must have, such as label=7 or source="anna"; None: no digit, nobody.
        """
        conditions = [_has(column, value) for column, value in equal.items()]
        with self._database.read() as connection:
            rows = newest_rows(connection, corrections, corrections.c.id, limit, before, *conditions)
            return [to_correction(row) for row in rows]

    def all(self) -> list[Correction]:
        """Return all corrections, oldest first."""
        with self._database.read() as connection:
            return [to_correction(row) for row in connection.execute(select(corrections).order_by(corrections.c.id))]

    def of_classes(self, classes: tuple[str, ...]) -> list[Correction]:
        """Return the corrections of answers of versions with these classes, oldest first; imported ones are digits."""
        query = select(corrections, versions.c.classes.label("classes"))
        query = query.join(versions, corrections.c.version == versions.c.version, isouter=True)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(corrections.c.id))
            return [to_correction(row) for row in rows if class_names(row.classes) == classes]

    def delete(self, correction_id: int) -> None:
        """Delete a correction: no run that begins from now on learns it.

        Raises:
            UnknownCorrectionError: there is no such correction.
        """
        with self._database.write() as connection:
            if connection.execute(delete(corrections).where(corrections.c.id == correction_id)).rowcount != 1:
                raise UnknownCorrectionError(f"there is no correction {correction_id}")

    def delete_all(self, source: str | None = None) -> int:
        """Delete all corrections and remembered predictions, or the corrections of one source; return their number."""
        statement = delete(corrections)
        with self._database.write() as connection:
            if source is not None:
                return connection.execute(statement.where(corrections.c.source == source)).rowcount
            connection.execute(delete(remembered_predictions))
            return connection.execute(statement).rowcount

    def scores(self) -> list[FeedbackScore]:
        """Return how many of the corrected and confirmed images each version had read correctly, newest first."""
        correct = func.sum(case((corrections.c.is_correct, 1), else_=0))
        query = (
            select(corrections.c.version, correct, func.count())
            .where(corrections.c.is_correct.is_not(None))
            .group_by(corrections.c.version)
            .order_by(corrections.c.version.desc())
        )
        with self._database.read() as connection:
            return [FeedbackScore(*row) for row in connection.execute(query)]


def _insert(
    connection: Connection, answer: Answered, label: int | None, source: str | None, prediction_id: str | None = None
) -> Correction:
    values = {
        "image": answer.image,
        "label": label,
        "version": answer.version,
        "digit": answer.digit,
        "confidence": answer.confidence,
        "is_digit": answer.is_digit,
        "is_correct": _is_correct(answer.digit, label, is_digit=answer.is_digit),
        "source": source,
        "created_at": now(),
        "prediction_id": prediction_id,
    }
    return to_correction(connection.execute(insert(corrections).values(values).returning(corrections)).one())


def _is_correct(digit: int, label: int | None, *, is_digit: bool | None) -> bool | None:
    """Return whether an answer was correct; for a picture without a digit, None if the answer could not say so."""
    if label is not None:
        return digit == label
    return None if is_digit is None else not is_digit


def _require_room(connection: Connection, count: int, max_corrections: int | None) -> None:
    if max_corrections is None:
        return
    found = connection.scalar(select(func.count()).select_from(corrections)) or 0
    if found + count > max_corrections:
        raise FeedbackQuotaError(f"there are {found} corrections, {count} more exceed the limit of {max_corrections}")


def forget_old(connection: Connection) -> None:
    newest = connection.scalar(select(func.max(remembered_predictions.c.id))) or 0
    old = (remembered_predictions.c.id <= newest - MAX_REMEMBERED) | (
        remembered_predictions.c.created_at < now() - REMEMBERED_FOR
    )
    connection.execute(delete(remembered_predictions).where(old))


def _has(name: str, value: Any) -> ColumnElement[bool]:
    column = corrections.c[name]
    return column.is_(None) if value is None else column == value
