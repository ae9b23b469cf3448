"""Lessons of runs beside the dataset: corrections, and the version that a run starts from."""

import logging

import numpy as np
import pytest

from benchmarks.corrections import correction
from inkling.digit import NUM_PIXELS
from inkling.errors import DatasetError
from inkling.network.checkpoint import SHAPES, load
from inkling.registry.records import Answered, Lease, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, random_parameters
from tests.support.runs import LONG_S, OWNER, SHORT
from training.lessons import Feedback, split_feedback
from training.process import StopSignal
from training.snapshot import TrainingState
from training.worker import Worker

TAUGHT = SHORT.with_overrides({"feedback": 0.25, "training_steps": 20, "validation_size": 100})


def add(registry: Registry, count: int, source: str | None = None, seed: int = 0) -> None:
    """Add corrections: random pictures, labeled 0 to 9 in turn."""
    random = np.random.default_rng(seed)
    answers = [Answered(random.bytes(NUM_PIXELS), 1, 3, 0.5, None) for _ in range(count)]
    registry.corrections.add(answers, [i % 10 for i in range(count)], source)


def split(registry: Registry) -> Feedback:
    return split_feedback(registry.corrections.all(), None)


def images_of(feedback: Feedback) -> tuple[set[bytes], set[bytes]]:
    """Return the learned and the held-out pictures."""
    learned, held_out = ({image.tobytes() for image in part.images} for part in (feedback.learned, feedback.held_out))
    return learned, held_out


def test_no_picture_is_learned_and_judged_in_this_run_or_a_later_one(registry: Registry) -> None:
    # given
    add(registry, 40, "anna")
    learned, held_out = images_of(split(registry))
    assert len(held_out) >= 5
    assert len(learned) + len(held_out) == 40
    # when: more people come, one with the same pictures, and one with no digit
    add(registry, 40, "bo")
    add(registry, 20, seed=1)
    registry.corrections.add([Answered(bytes(NUM_PIXELS), 1, 3, 0.5, None)], [None])
    later = split(registry)
    # then
    learned_later, held_out_later = images_of(later)
    assert not learned_later & held_out_later
    assert learned <= learned_later
    assert held_out <= held_out_later
    assert len(later.learned) + len(later.held_out) == 100
    assert later.learned.labels.max() <= 9


def test_person_who_sends_more_is_not_learned_more_often(registry: Registry) -> None:
    add(registry, 20, "anna")
    add(registry, 500, "a flood", seed=1)
    feedback = split(registry)
    taken = feedback.sources[feedback.sample((100, 40), [1])]
    assert np.bincount(taken.ravel()) == pytest.approx(2000, abs=200)


def test_hundred_thousand_corrections_of_one_source_are_judged_and_split() -> None:
    random = np.random.default_rng(0)
    flood = [correction(random.bytes(NUM_PIXELS), label=i % 10, digit=3, source="flood") for i in range(100_000)]
    feedback = split_feedback(flood, None)
    assert len(feedback.learned) + len(feedback.held_out) == len(flood)
    assert (feedback.set_aside, feedback.remarks) == (0, ())


def test_without_a_correction_to_learn_there_is_an_error(registry: Registry) -> None:
    with pytest.raises(DatasetError, match="of 0 corrections of digits all are held out"):
        split(registry)


@pytest.fixture
def worker(registry: Registry, store: StoreSettings) -> Worker:
    return Worker(registry, store, StopSignal())


def claim(registry: Registry, **overrides: float) -> Lease:
    registry.runs.queue(TAUGHT.with_overrides(overrides), "if_better", max_queued=9)
    lease = registry.runs.claim(LONG_S, OWNER)
    assert lease is not None
    return lease


@pytest.mark.train
def test_same_feedback_gives_the_same_version_and_a_deletion_another_one(
    registry: Registry, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    registry.versions.add_first(make_checkpoint())
    add(registry, 40, "anna")
    add(registry, 40, "bo", seed=1)
    # when
    run = worker.train(claim(registry))
    # then
    assert run.version is not None
    card = load(registry.versions.checkpoint(run.version)).card
    found = split(registry)
    assert card.feedback is not None
    assert card.feedback.digest == found.digest
    assert (card.feedback.learned, card.feedback.held_out, card.feedback.sources) == (
        len(found.learned),
        len(found.held_out),
        2,
    )
    assert "of people's" in (run.decision or "")
    # when: a run resumes from a snapshot that learned other corrections
    caplog.set_level(logging.INFO)
    lease = claim(registry)
    state = TrainingState(20, 1.0, random_parameters(), feedback="ab" * 32)
    registry.runs.save_snapshot(lease, state.to_snapshot())
    # then: it starts over, and ends as the first one
    assert digest_of(registry, worker.train(lease)) == digest_of(registry, run)
    assert "the corrections have changed, starting over" in caplog.text
    # when
    registry.corrections.delete(next(item.id for item in registry.corrections.all() if is_learned(item.image, found)))
    # then
    shorter = worker.train(claim(registry))
    assert digest_of(registry, shorter) != digest_of(registry, run)


def digest_of(registry: Registry, run: Run) -> str:
    assert run.version is not None, run.error
    return registry.versions.get(run.version).digest


def is_learned(image: bytes, feedback: Feedback) -> bool:
    return image in images_of(feedback)[0]


@pytest.mark.train
def test_run_starts_from_its_base(registry: Registry, worker: Worker) -> None:
    # given
    base = make_checkpoint(random_parameters(2))
    registry.versions.add_first(base)
    # when: a training that hardly moves
    run = worker.train(claim(registry, base=1, feedback=0, learning_rate=1e-9))
    # then
    assert run.version is not None
    learned = load(registry.versions.checkpoint(run.version)).parameters
    for name in SHAPES:
        np.testing.assert_allclose(learned[name], base.parameters[name], atol=1e-4)


@pytest.mark.parametrize(("overrides", "detail"), [({}, "there is nothing to learn"), ({"base": 9}, "no version 9")])
@pytest.mark.train
def test_run_without_its_lessons_fails_and_says_why(
    registry: Registry, worker: Worker, overrides: dict[str, float], detail: str
) -> None:
    run = worker.train(claim(registry, **({"feedback": 0} | overrides if overrides else {})))
    assert (run.state, run.error_type, run.version) == ("failed", "dataset", None)
    assert detail in (run.error or "")


@pytest.mark.train
def test_run_whose_dataset_has_changed_does_not_resume(registry: Registry, worker: Worker) -> None:
    # given: a run that has learned other images, and was interrupted
    lease = claim(registry, feedback=0)
    state = TrainingState(10, 1.0, random_parameters(), dataset="ab" * 32)
    registry.runs.save_snapshot(lease, state.to_snapshot())
    # when
    run = worker.train(lease)
    # then
    assert (run.state, run.error_type, run.version) == ("failed", "dataset", None)
    assert "has changed since step 10 of the run: its SHA-256 was abababababab..., and is " in (run.error or "")
    assert "Put the former files back, or queue another run" in (run.error or "")
