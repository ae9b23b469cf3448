from itertools import product
from pathlib import Path

import pytest

from inkling.errors import InputError
from inkling.mnist import Split
from inkling.model_card.card_yardstick import share, yardstick_values
from inkling.model_card.yardstick.mnist_c import MNIST_C
from inkling.model_card.yardstick.non_digits import NON_DIGITS, RELATED
from inkling.model_card.yardstick.number_pages import BACKGROUNDS, LENGTHS
from inkling.model_card.yardstick.pages import PAGE_KINDS, STRENGTHS
from inkling.model_card.yardstick.scores import Yardstick, measure_yardstick, read_yardstick
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.support.digits import make_digits


@pytest.fixture(scope="module")
def measured(shipped: Checkpoint) -> Yardstick:
    test = Split(*make_digits(10, seed=7))
    return measure_yardstick(
        Classifier(shipped, version=0), test, log=print, pages_each=2, in_mnist_c=5, numbers_each=1, non_digits_each=2
    )


def test_every_kind_has_its_row(measured: Yardstick) -> None:
    rows = [(score.kind, score.strength) for score in measured.pages]
    assert rows == [(kind, strength) for kind in PAGE_KINDS for strength in STRENGTHS]
    assert [score.name for score in measured.mnist_c] == list(MNIST_C)
    assert [(score.background, score.length) for score in measured.numbers] == list(product(BACKGROUNDS, LENGTHS))
    assert [score.kind for score in measured.non_digits] == [*NON_DIGITS, *RELATED]


def test_counts_agree(measured: Yardstick) -> None:
    for page in measured.pages:
        assert page.still_correct <= min(page.correct, page.plain) <= page.total == 2
        assert page.correct + page.refused + page.sure_but_wrong <= page.total
    for corruption in measured.mnist_c:
        assert corruption.normalized + corruption.refused <= corruption.total == 5
    for number in measured.numbers:
        assert number.exact <= number.counted <= number.total == 1
    for kind in measured.non_digits:
        assert kind.refused <= kind.by_confidence <= kind.total == 2


def test_counts_are_read_again(measured: Yardstick, tmp_path: Path) -> None:
    (tmp_path / "yardstick.json").write_text(measured.model_dump_json())
    assert read_yardstick(tmp_path / "yardstick.json") == measured


def test_file_of_other_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(InputError, match=r"other\.json: the file: .*expected the yardstick\.json"):
        read_yardstick(tmp_path / "other.json")


def test_tables_have_a_cell_for_every_column(measured: Yardstick) -> None:
    for before in (None, measured):
        values = yardstick_values(measured, before)
        for name in ("pages", "mnist_c", "numbers", "non_digits"):
            header, rows = values[name]
            assert {len(row) for row in rows} == {len(header)}
            assert name == "numbers" or any("before" in title for title in header) == (before is not None)


def test_earlier_counts_are_shown_beside_the_new_ones(measured: Yardstick) -> None:
    none = [score.model_copy(update={"still_correct": 0}) for score in measured.pages]
    _, rows = yardstick_values(measured, measured.model_copy(update={"pages": none}))["pages"]
    assert all(row[-2].strip("*").startswith("0.000") for row in rows)


def test_share_has_its_interval() -> None:
    assert share(8, 10) == "0.800 (0.490 to 0.943)"
