"""The network that ships: what its file holds and claims. `tests/training` scores it again."""

from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import ACCURATE

DIGEST = "e3066d83a92a5a79a316bae44d0b953031895dd95e518da45639f915e46c91d1"
"""SHA-256 of the file."""


def test_shipped_network_is_the_one_of_the_recipe(shipped: Checkpoint) -> None:
    assert shipped.digest == DIGEST
    assert shipped.card.recipe == ACCURATE
    assert shipped.card.dataset == "mnist"


def test_card_of_the_shipped_network_has_both_scores(shipped: Checkpoint) -> None:
    evaluation = shipped.card.evaluation
    assert (evaluation.correct, evaluation.total) == (9_953, 10_000)
    assert evaluation.calibration_error < 0.003
    assert evaluation.single_view is not None
    assert evaluation.single_view.correct == 9_939
    assert evaluation.loss < evaluation.single_view.loss


def test_shipped_network_reads_unsure_images_in_views_and_finds_pictures_without_a_digit(shipped: Checkpoint) -> None:
    assert shipped.card.views is not None
    assert shipped.card.views.below == 0.97
    assert shipped.card.digit_probe is not None
