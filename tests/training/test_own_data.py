"""Training on own data: the card, the recipe `general`, and the decision."""

from pathlib import Path

import pytest

from inkling.digit import DIGIT_NAMES
from inkling.network import checkpoint
from inkling.network.recipe import GENERAL
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint
from tests.support.own_data import ANIMALS, GARMENTS, write_garments, write_pictures
from tests.support.runs import OWNER
from training.process import StopSignal
from training.worker import Worker

pytestmark = pytest.mark.train

QUICK = GENERAL.with_overrides({"training_steps": 200, "warmup_steps": 20, "ema_decay": 0.9})


def test_general_recipe_learns_other_classes_and_never_replaces_digits_by_itself(
    registry: Registry, tmp_path: Path
) -> None:
    # given: digits are served
    digits = make_checkpoint()
    registry.versions.add_first(digits)
    settings = StoreSettings(data_dir=tmp_path / "data", dataset=write_garments(tmp_path / "garments"))
    worker = Worker(registry, settings, StopSignal())
    registry.runs.queue(QUICK, "always", 9, dataset="garments")
    lease = worker.claim(OWNER)
    assert lease
    # when
    run = worker.train(lease)
    # then
    assert run.version == 2, run.error
    card = checkpoint.load(registry.versions.checkpoint(2)).card
    assert (card.dataset, card.classes, card.fit, card.digit_probe) == ("garments", GARMENTS, "plain", None)
    assert card.evaluation.accuracy > 0.95
    served = registry.versions.served()
    assert served
    assert (served.version, registry.versions.checkpoint(1)) == (1, digits.content)
    assert run.decision
    assert "it learned garments (T-shirt/top, " in run.decision


def test_reading_of_pictures_is_reported_and_what_was_left_out_logged(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_pictures(tmp_path / "animals")
    (folder / "ant" / "notes.txt").write_text("no picture")
    settings = StoreSettings(data_dir=tmp_path / "data", dataset=folder, dataset_skip=True)
    worker = Worker(registry, settings, StopSignal())
    registry.runs.queue(QUICK.with_overrides({"synthetic": 0.1}), "always", 9, dataset="animals")
    lease = worker.claim(OWNER)
    assert lease
    run = worker.train(lease)
    assert f"1 of 101 pictures were left out: {folder}/ant/notes.txt" in caplog.text
    assert (run.error_type, run.error) == (
        "dataset",
        "the recipe general adds synthetic digits (synthetic is 0.1), and animals shows no digits: take the recipe "
        "general, or set synthetic=0",
    )


@pytest.mark.parametrize(
    ("asked", "settings", "words"),
    [
        ("animals", {}, "queued for own data named animals, and its trainer has MNIST"),
        (None, {"dataset": Path("other/garments")}, "queued for MNIST, and its trainer has own data named garments"),
    ],
)
def test_run_for_another_dataset_than_the_trainers_fails_and_says_so(
    registry: Registry, tmp_path: Path, asked: str | None, settings: dict[str, Path], words: str
) -> None:
    worker = Worker(registry, StoreSettings.model_validate({"data_dir": tmp_path, **settings}), StopSignal())
    registry.runs.queue(QUICK, "always", 9, dataset=asked)
    lease = worker.claim(OWNER)
    assert lease
    run = worker.train(lease)
    assert run.error_type == "dataset"
    assert run.error
    assert words in run.error


def test_card_of_digits_has_no_field_of_own_data() -> None:
    card = make_checkpoint().card
    assert {"classes", "fit"}.isdisjoint(card.model_dump())
    assert (card.learned.classes, card.fit) == (DIGIT_NAMES, "mnist")
    own = card.model_copy(update={"dataset": "animals", "classes": ANIMALS})
    assert [card.learned.is_same(other.learned) for other in (card, own)] == [True, False]
    assert own.learned.is_same(own.learned)
