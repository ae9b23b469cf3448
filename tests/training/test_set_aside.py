"""Corrections that contradict what is known, or each other, are not learned; those of odd hands are."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.corrections import correction, poison
from benchmarks.people import Person
from inkling.errors import DatasetError
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.registry.records import Correction
from training.lessons import split_feedback
from training.set_aside import set_aside

REFERENCE = load_pretrained()
ODD = 207
"""A person of whose digits the shipped network reads half."""


def written(person: int, count: int, *, source: str, wrong_only: bool = False, seed: int = 1) -> list[Correction]:
    """Return correct corrections by a person: of wrong answers only, or of whatever was written."""
    drawn = Person(person).write([i % 10 for i in range(count * 4 if wrong_only else count)], seed)
    digits = Classifier(REFERENCE, 0).probabilities(drawn.images).argmax(axis=1)
    chosen = np.flatnonzero(digits != drawn.labels) if wrong_only else np.arange(count)
    return [
        correction(drawn.images[i].tobytes(), label=int(drawn.labels[i]), digit=int(digits[i]), source=source)
        for i in chosen[:count]
    ]


def test_odd_hand_teaches_although_every_correction_contradicts_an_answer() -> None:
    odd = written(ODD, 50, source="anna", wrong_only=True)
    kept = set_aside(odd, REFERENCE)
    assert (len(odd), len(kept.corrections), kept.remarks) == (50, 50, ())


def test_flood_is_set_aside_alone_and_beside_an_odd_hand() -> None:
    honest, flood = written(ODD, 40, source="anna", wrong_only=True), poison(written(1, 1000, source="flood"), 1, 0)
    kept = set_aside([*honest, *flood], REFERENCE)
    assert {found.source for found in kept.corrections} == {"anna"}
    assert kept.set_aside == 1000
    (remark,) = kept.remarks
    assert remark.startswith("source flood: 1,000 corrections, ")
    assert "% contradict readings that are sure (at most 10%)" in remark
    with pytest.raises(DatasetError, match=r"set aside: source flood: 1,000 corrections.*DELETE /feedback\?source="):
        split_feedback(flood, REFERENCE)


def test_labels_of_which_half_are_wrong_are_set_aside() -> None:
    half = poison(written(ODD, 50, source="anna", wrong_only=True), 0.5, 1)
    kept = set_aside(half, REFERENCE)
    assert kept.corrections == []
    assert "of its pictures have another label than the one they are most like (at most 30%)" in kept.remarks[0]


def test_unnamed_corrections_are_of_one_source() -> None:
    flood = [replace(found, source=None) for found in poison(written(1, 200, source="flood"), 1, 0)]
    assert set_aside(flood, REFERENCE).remarks[0].startswith("unnamed sources: 200 corrections, ")


def test_pictures_on_which_people_contradict_each_other_are_left_out() -> None:
    anna, bo = (written(ODD, 40, source=source, wrong_only=True) for source in ("anna", "bo"))
    wrong = poison(bo[:10], 1, 0)
    kept = set_aside([*anna, *wrong, *bo[20:]], REFERENCE)
    assert kept.remarks == ("10 pictures to which sources gave different labels",)
    assert kept.set_aside == 20
    assert len(kept.corrections) == 30 + 20


def test_last_label_of_a_source_counts_and_a_picture_counts_once() -> None:
    anna = written(ODD, 40, source="anna", wrong_only=True)
    kept = set_aside([*poison(anna[:20], 1, 0), *anna, *anna], REFERENCE)
    assert sorted(found.image for found in kept.corrections) == sorted(found.image for found in anna)
    assert [found.label for found in kept.corrections[:20]] == [found.label for found in anna[:20]]


def test_without_a_network_to_believe_labels_are_compared_with_each_other_only() -> None:
    flood = poison(written(1, 200, source="flood"), 1, 0)
    assert set_aside(flood, None).remarks == ()
