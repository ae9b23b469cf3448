"""Corrections in the database, on both backends."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from inkling.digit import DIGIT_NAMES
from inkling.errors import DatasetError, FeedbackQuotaError, UnknownCorrectionError, UnknownPredictionError
from inkling.registry import corrections as module
from inkling.registry.correction_files import read_correction_files, write_idx_files, write_png_files
from inkling.registry.records import Answered, Correction, FeedbackScore
from inkling.registry.registry import Registry
from inkling.registry.rows import now
from inkling.registry.tables import remembered_predictions
from tests.support.networks import make_checkpoint, make_checkpoint_of
from tests.support.own_data import GARMENTS
from tests.support.postgres import BACKENDS

SEVEN = Answered(bytes(range(256)) * 3 + bytes(16), version=1, digit=7, confidence=0.75, is_digit=True)
SCRIBBLE = replace(SEVEN, image=bytes(784), digit=3, is_digit=False)
on_each_database = pytest.mark.parametrize("backend", BACKENDS)


@on_each_database
def test_corrections_are_kept_with_their_answers_and_filtered(registry: Registry) -> None:
    # given
    added = registry.corrections.add([SEVEN, SEVEN, SCRIBBLE], [1, 7, None], "anna")
    registry.corrections.add([replace(SCRIBBLE, version=2, is_digit=None)], [None])
    registry.corrections.add_imported([SEVEN.image], [4], ["bo"])
    # then
    assert [(item.label, item.digit, item.is_correct, item.source) for item in added] == [
        (1, 7, False, "anna"),
        (7, 7, True, "anna"),
        (None, 3, True, "anna"),
    ]
    assert added[0].image == SEVEN.image
    assert now() - added[0].created_at < timedelta(minutes=1)
    found = registry.corrections

    def ids(items: list[Correction]) -> list[int]:
        return [item.id for item in items]

    assert ids(found.newest(2)) == [5, 4]
    assert ids(found.newest(2, before=4)) == [3, 2]
    assert ids(found.newest(9, version=1)) == [3, 2, 1]
    assert ids(found.newest(9, label=None)) == [4, 3]
    assert ids(found.newest(9, label=4, source="bo")) == [5]
    assert ids(found.newest(9, is_correct=False)) == [1]
    assert ids(found.all()) == [1, 2, 3, 4, 5]
    assert found.get(2) == added[1]
    assert found.scores() == [FeedbackScore(1, correct=2, total=3)]
    assert registry.verify() == []


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize(
    "equal", [{}, {"version": 1}, {"label": 7}, {"label": None}, {"is_correct": False}, {"source": "anna"}]
)
def test_lists_and_scores_read_an_index_and_sort_nothing(registry: Registry, equal: dict[str, Any]) -> None:
    # given
    seen: list[tuple[str, Any]] = []
    engine = registry._database._engine
    event.listen(engine, "before_cursor_execute", lambda *call: seen.append(call[2:4]))
    # when
    registry.corrections.newest(20, before=50_000, **equal)
    registry.corrections.scores()
    # then
    plans = []
    with registry._database.read() as connection:
        for statement, values in [call for call in seen if call[0].startswith("SELECT")]:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append(" ".join(step.detail for step in steps))
    assert len(plans) == 2
    assert "SEARCH corrections USING" in plans[0]
    assert f"ix_corrections_{next(iter(equal))}" in plans[0] if equal else "PRIMARY KEY" in plans[0]
    assert "COVERING INDEX ix_corrections_version" in plans[1]
    assert "TEMP B-TREE" not in " ".join(plans)


@on_each_database
def test_remembered_prediction_is_corrected_and_the_last_label_counts(registry: Registry) -> None:
    first, second = registry.corrections.remember([SEVEN, SCRIBBLE])
    # when
    registry.corrections.correct(first, 1, "anna")
    correction = registry.corrections.correct(first, 7)
    # then
    assert registry.corrections.all() == [correction]
    assert (correction.label, correction.is_correct, correction.source) == (7, True, "anna")
    assert registry.corrections.correct(second, None).is_correct
    # when: a correction is deleted
    registry.corrections.delete(correction.id)
    # then: its prediction cannot bring it back
    with pytest.raises(UnknownPredictionError):
        registry.corrections.correct(first, 7)
    assert [item.label for item in registry.corrections.all()] == [None]


@on_each_database
def test_corrections_are_deleted_one_by_one_by_source_and_all(registry: Registry) -> None:
    registry.corrections.add([SEVEN] * 3, [1, 2, 3], "anna")
    registry.corrections.add([SEVEN], [4])
    (remembered,) = registry.corrections.remember([SEVEN])
    registry.corrections.delete(1)
    for missing in (registry.corrections.delete, registry.corrections.get):
        with pytest.raises(UnknownCorrectionError, match="there is no correction 1"):
            missing(1)
    assert registry.corrections.delete_all("anna") == 2
    assert [item.id for item in registry.corrections.all()] == [4]
    assert registry.corrections.delete_all() == 1
    with pytest.raises(UnknownPredictionError):
        registry.corrections.correct(remembered, 7)


def test_corrections_of_a_deleted_version_are_of_its_classes_still(registry: Registry) -> None:
    registry.versions.add_first(make_checkpoint())
    shop = registry.versions.add_upload(make_checkpoint_of(GARMENTS, "garments")).version
    registry.corrections.add([SEVEN, replace(SEVEN, version=shop)], [1, 2])
    registry.versions.delete(shop)
    assert [item.label for item in registry.corrections.of_classes(GARMENTS)] == [2]
    assert [item.label for item in registry.corrections.of_classes(DIGIT_NAMES)] == [1]


@on_each_database
def test_corrections_are_bounded(registry: Registry) -> None:
    registry.corrections.add([SEVEN], [1], max_corrections=2)
    (remembered,) = registry.corrections.remember([SEVEN])
    with pytest.raises(FeedbackQuotaError, match="there are 1 corrections, 2 more exceed the limit of 2"):
        registry.corrections.add([SEVEN] * 2, [1, 2], max_corrections=2)
    with pytest.raises(FeedbackQuotaError):
        registry.corrections.add_imported([SEVEN.image] * 2, [1, 2], [None, None], max_corrections=2)
    registry.corrections.add_imported([], [], [], max_corrections=2)
    registry.corrections.add([SEVEN], [1], max_corrections=2)
    with pytest.raises(FeedbackQuotaError):
        registry.corrections.correct(remembered, 7, max_corrections=2)
    assert len(registry.corrections.all()) == 2


def test_predictions_are_forgotten_after_an_hour_and_beyond_a_number(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    first = registry.corrections.remember([SEVEN])[0]
    ids = registry.corrections.remember([SEVEN] * 3)
    old = {"created_at": now() - timedelta(hours=2)}
    with registry._database.write() as connection:
        connection.execute(
            update(remembered_predictions).where(remembered_predictions.c.prediction_id == ids[0]).values(old)
        )
    # then
    with pytest.raises(UnknownPredictionError):
        registry.corrections.correct(ids[0], 7)
    # when
    registry.corrections.remember([SEVEN])
    # then
    with pytest.raises(UnknownPredictionError):
        registry.corrections.correct(first, 7)
    assert registry.corrections.correct(ids[2], 7).id == 1


def test_damaged_correction_is_a_problem(registry: Registry) -> None:
    registry.corrections.add([SEVEN, replace(SEVEN, image=b"short")], [7, 7])
    assert registry.verify() == ["correction 2 has 5 pixels and the label 7"]


def test_exported_corrections_can_be_imported(registry: Registry, tmp_path: Path) -> None:
    # given
    registry.corrections.add([SEVEN, SCRIBBLE], [1, None], "anna")
    registry.corrections.add([SEVEN], [9])
    corrections = registry.corrections.all()
    # when
    write_png_files(corrections, tmp_path / "png")
    assert write_idx_files(corrections, tmp_path / "idx") == 2
    # then
    png = read_correction_files(tmp_path / "png")
    assert list(zip(png.images, png.labels, png.sources, strict=True)) == [
        (SEVEN.image, 1, "anna"),
        (SEVEN.image, 9, None),
        (SCRIBBLE.image, None, "anna"),
    ]
    idx = read_correction_files(tmp_path / "idx")
    assert (idx.images, idx.labels, idx.sources) == ([SEVEN.image] * 2, [1, 9], [None] * 2)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "broken.png").write_bytes(b"no picture")
    (found,) = read_correction_files(tmp_path).unreadable
    assert "broken.png" in found
    with pytest.raises(DatasetError, match="holds neither images-idx3-ubyte"):
        read_correction_files(tmp_path / "3")


def test_idx_files_that_do_not_belong_together_are_refused(registry: Registry, tmp_path: Path) -> None:
    write_idx_files(registry.corrections.add([SEVEN, SEVEN], [1, 2]), tmp_path)
    labels = tmp_path / "labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + b"\x0b")
    with pytest.raises(DatasetError, match="the label 11, expected 0 to 9"):
        read_correction_files(tmp_path)
    write_idx_files(registry.corrections.add([SEVEN], [1]), tmp_path)
    labels.write_bytes(content)
    with pytest.raises(DatasetError, match="holds 1 items but labels-idx1-ubyte 2"):
        read_correction_files(tmp_path)
