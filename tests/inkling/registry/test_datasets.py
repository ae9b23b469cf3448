"""The datasets of versions: what may replace what."""

import pytest
from sqlalchemy import text

from inkling.digit import DIGIT_NAMES, NUM_PIXELS
from inkling.errors import OtherDatasetError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Answered
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.databases import connect
from tests.support.networks import make_checkpoint, make_checkpoint_of, random_parameters
from tests.support.own_data import ANIMALS, GARMENTS
from tests.support.runs import queue


def test_version_keeps_the_names_of_its_classes_after_its_deletion(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    animals = registry.versions.add_upload(make_checkpoint_of(ANIMALS, "a" * 70))
    assert (animals.dataset, animals.classes) == ("a" * 64, ANIMALS)
    digits = registry.versions.get(1)
    assert (digits.dataset, digits.classes) == ("custom", DIGIT_NAMES)
    answer = Answered(bytes(NUM_PIXELS), animals.version, 3, 0.5, None)
    registry.corrections.add([answer], [4])
    registry.corrections.add([Answered(bytes(NUM_PIXELS), 1, 3, 0.5, None)], [5])
    registry.corrections.add_imported([bytes(NUM_PIXELS)], [6], [None])
    registry.versions.delete(animals.version)
    assert [correction.label for correction in registry.corrections.of_classes(ANIMALS)] == [4]
    assert [correction.label for correction in registry.corrections.of_classes(DIGIT_NAMES)] == [5, 6]


def test_version_of_another_dataset_is_served_only_when_asked_for(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    animals = registry.versions.add_upload(make_checkpoint_of(ANIMALS)).version
    with pytest.raises(
        OtherDatasetError, match=r"version 2 learned animals \(ant, .*\), version 1, .* custom \(digits\)"
    ):
        registry.versions.promote(animals, "by mistake")
    assert registry.versions.promote(animals, "on purpose", across_datasets=True).version == animals
    with pytest.raises(OtherDatasetError):
        registry.versions.promote(1, "back by mistake")
    assert registry.versions.promote(1, "back on purpose", across_datasets=True).version == 1


@pytest.mark.parametrize(("dataset", "is_same"), [("mnist", True), ("custom", True), ("emnist-digits", False)])
def test_digits_of_another_dataset_are_another_dataset(
    registry: Registry, checkpoint: Checkpoint, dataset: str, is_same: bool
) -> None:
    registry.versions.add_first(checkpoint)
    registry.versions.add_upload(make_checkpoint_of(DIGIT_NAMES, dataset))
    if is_same:
        assert registry.versions.promote(2, "as ever").version == 2
    else:
        with pytest.raises(OtherDatasetError, match=r"emnist-digits \(digits\)"):
            registry.versions.promote(2, "by mistake")


def test_versions_of_other_datasets_do_not_stand_in(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    for classes, dataset in ((ANIMALS, "animals"), (GARMENTS, "garments")):
        registry.versions.add_upload(make_checkpoint_of(classes, dataset))
    registry.versions.add_upload(make_checkpoint(random_parameters(4)))
    assert registry.versions.fallbacks() == [1, 4]
    registry.versions.promote(2, "on purpose", across_datasets=True)
    assert registry.versions.fallbacks() == [2]


def test_versions_of_earlier_releases_are_digits(
    registry: Registry, store: StoreSettings, checkpoint: Checkpoint
) -> None:
    registry.versions.add_first(checkpoint)
    with connect(store.registry_url) as connection:
        connection.execute(text("UPDATE versions SET dataset = NULL"))
    assert str(registry.versions.get(1).learned) == "mnist (digits)"
    registry.versions.add_upload(make_checkpoint(random_parameters(4)))
    assert registry.versions.promote(2, "as ever").version == 2


def test_run_keeps_the_name_of_the_dataset_it_was_queued_for(registry: Registry) -> None:
    assert queue(registry).dataset is None
    run, _ = registry.runs.queue(queue(registry).recipe, "never", 9, dataset="animals")
    assert registry.runs.get(run.id).dataset == "animals"
