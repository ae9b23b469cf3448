"""The lines of progress that a trainer keeps while the registry is away."""

import logging

import pytest
from sqlalchemy.exc import OperationalError

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.leases import progress_at
from tests.support.runs import claim, execute
from training.run_writer import MAX_KEPT, RunWriter
from training.snapshot import TrainingState
from training.timings import Timings


def no_state() -> TrainingState:
    raise AssertionError("no snapshot is due")


def a_writer(registry: Registry, timings: Timings) -> RunWriter:
    return RunWriter(registry, claim(registry), timings, lambda: None, lambda: None)


def test_progress_is_kept_while_the_registry_is_away_and_written_when_it_answers(
    registry: Registry, store: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    writer = a_writer(registry, Timings())
    writer.record(progress_at(1), no_state)
    # given
    execute(store, "ALTER TABLE runs RENAME TO hidden")
    with caplog.at_level(logging.INFO):
        for step in (2, 3, 4):
            writer.record(progress_at(step), no_state)
        assert writer.is_away
        execute(store, "ALTER TABLE hidden RENAME TO runs")
        # then: the training does not wait for calls until the heartbeat is answered
        writer.record(progress_at(5), no_state)
        assert [line.step for line in registry.runs.progress(1)] == [1]
        writer.note_answer()
        writer.record(progress_at(6), no_state)
        assert not writer.is_away
    assert [line.step for line in registry.runs.progress(1)] == [1, 2, 3, 4, 5, 6]
    assert caplog.text.count("cannot write to the registry, will retry") == 1
    assert "the registry answers again" in caplog.text


def test_what_is_kept_is_bounded_and_has_the_newest_line(registry: Registry, store: StoreSettings) -> None:
    writer = a_writer(registry, Timings())
    execute(store, "ALTER TABLE runs RENAME TO hidden")
    for step in range(1, MAX_KEPT + 11):
        writer.record(progress_at(step), no_state)
    execute(store, "ALTER TABLE hidden RENAME TO runs")
    writer.flush()
    steps = [line.step for line in registry.runs.progress(1)]
    assert steps[-1] == MAX_KEPT + 10
    assert MAX_KEPT / 2 <= len(steps) <= MAX_KEPT
    assert steps == sorted(steps)


def test_registry_that_is_away_for_too_long_ends_the_run(registry: Registry, store: StoreSettings) -> None:
    writer = a_writer(registry, Timings(away_s=0, poll_s=0.01))
    execute(store, "ALTER TABLE runs RENAME TO hidden")
    with pytest.raises(OperationalError, match="no such table"):
        writer.record(progress_at(1), no_state)
    with pytest.raises(OperationalError, match="no such table"):
        writer.flush()
