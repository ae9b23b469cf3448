import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inkling.mnist import Split
from inkling.model_card.card import card, write_card
from inkling.model_card.card_charts import card_charts
from inkling.model_card.corruptions import CORRUPTIONS
from inkling.model_card.error_causes import ERROR_CAUSES
from inkling.model_card.markdown import counted, paragraph, table
from inkling.model_card.measurements import Amounts, Measurements, measure
from inkling.model_card.out_of_distribution import KINDS
from inkling.model_card.predictions import (
    REFUSED,
    TopPredictions,
    normalize_or_refuse,
    predict_normalized,
    predict_strict,
)
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.recipe import TUTORIAL
from tests.support.digits import make_digits

FEW = Amounts(
    corrupted=40,
    in_files=5,
    drawings=60,
    out_of_distribution_each=2,
    pages_each=2,
    in_mnist_c=20,
    numbers_each=1,
    non_digits_each=2,
)
SECTIONS = [
    "Intended use",
    "Out-of-scope uses",
    "The data",
    "How it was trained",
    "Scores",
    "Does the confidence mean what it says?",
    "Pictures that are not clean",
    "Any file",
    "Digits that people draw",
    "Pages that people send",
    "MNIST-C",
    "Numbers",
    "Pictures of other things",
    "Pictures that hold no digit",
    "Known failures",
    "Trials",
    "The file",
]


@pytest.fixture(scope="module")
def log() -> list[str]:
    """The lines of progress of `measured`."""
    return []


@pytest.fixture(scope="module")
def tempered(shipped: Checkpoint) -> Checkpoint:
    """The checkpoint that ships, with a temperature."""
    return save(shipped.parameters, shipped.card.model_copy(update={"temperature": 1.5}))


@pytest.fixture(scope="module")
def measured(shipped: Checkpoint, tempered: Checkpoint, log: list[str]) -> Measurements:
    test = Split(*make_digits(40, seed=7))
    return measure(tempered, shipped, test, log=log.append, amounts=FEW)


def rows(text: str, title: str) -> list[list[str]]:
    """Return the cells of the first table after a title."""
    lines = text.split(f"## {title}\n")[1].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    body = [line for line in lines[first + 2 : first + 40] if line.startswith("|") or not line]
    last = body.index("") if "" in body else len(body)
    return [[cell.strip("* ") for cell in line.strip("|").split("|")] for line in body[:last]]


def test_card_holds_every_section_in_its_order(measured: Measurements) -> None:
    text = card(measured, "x", [])
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert text.startswith("# Model card\n")
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "!"))) <= 120


def test_card_and_its_charts_are_written_beside_each_other(measured: Measurements, tmp_path: Path) -> None:
    predictions = replace(measured.drawings.predictions, digits=(measured.drawings.labels + 1) % 10)
    misreading = replace(measured, drawings=replace(measured.drawings, predictions=predictions))
    files = write_card(tmp_path / "docs" / "card.md", misreading)
    text = (tmp_path / "docs" / "card.md").read_text()
    linked = [tmp_path / "docs" / link for link in re.findall(r"\]\((card/[^)]*)\)", text)]
    assert set(files) == {tmp_path / "docs" / "card.md", *linked}
    assert len(linked) == len(set(linked)) == 12
    pictures = [file for file in linked if file.suffix == ".png"]
    assert [file.name for file in linked if file not in pictures] == ["yardstick.json"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in pictures)
    assert sum(file.stat().st_size for file in files) < 500_000


def test_same_checkpoint_makes_the_same_card_byte_for_byte(
    measured: Measurements, shipped: Checkpoint, tempered: Checkpoint, tmp_path: Path
) -> None:
    again = measure(tempered, shipped, measured.test, log=lambda line: None, amounts=FEW)
    one, other = write_card(tmp_path / "1" / "card.md", measured), write_card(tmp_path / "2" / "card.md", again)
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in other]


def test_card_states_the_facts_of_the_checkpoint(measured: Measurements) -> None:
    text, checkpoint = card(measured, "x", []), measured.checkpoint
    evaluation = measured.scored.evaluation
    assert checkpoint.digest in text
    assert measured.compared
    assert measured.compared.digest in text
    assert checkpoint.card.dataset_digest in text
    assert f"{evaluation.correct} correct" in text
    assert f"| after | 1.5000 | {measured.single_view.evaluation.calibration_error:.4f} |" in text
    assert f"| before | 1.0000 | {measured.uncalibrated.evaluation.calibration_error:.4f} |" in text
    assert f"make train RECIPE={checkpoint.card.recipe.name}" in text
    assert f"| `learning_rate` | `{checkpoint.card.recipe.learning_rate}` |" in text


def test_robustness_table_has_a_row_for_every_corruption_and_their_mean(measured: Measurements) -> None:
    name, *corruptions, mean = rows(card(measured, "x", []), "Pictures that are not clean")
    assert name[0].strip() == "none"
    assert [row[0].strip() for row in corruptions] == list(CORRUPTIONS)
    for column in range(1, 6):
        assert float(mean[column]) == pytest.approx(np.mean([float(row[column]) for row in corruptions]), abs=1e-4)


def test_robustness_is_the_accuracy_of_the_classifier(measured: Measurements) -> None:
    uncorrupted = measured.corruptions[0]
    assert uncorrupted.strict == measured.scored.evaluation.correct
    assert uncorrupted.compared_strict == uncorrupted.strict  # a temperature changes no answer
    normalized = normalize_or_refuse(measured.test.images)
    predictions = predict_normalized(Classifier(measured.checkpoint, 1), normalized)
    assert uncorrupted.normalized == predictions.correct(measured.test.labels)
    assert uncorrupted.refused == predictions.refused


def test_drawings_are_scored_by_brush_and_by_digit(measured: Measurements) -> None:
    *parts, everything = rows(card(measured, "x", []), "Digits that people draw")
    assert len(parts) == 6 + 10
    assert [int(row[1]) for row in parts] == [10] * 6 + [6] * 10
    assert int(everything[1]) == 60
    assert float(everything[2]) == pytest.approx(np.mean([float(row[2]) for row in parts[:6]]), abs=1e-4)


def test_causes_of_drawn_failures_are_listed_once_each(measured: Measurements) -> None:
    causes = Counter({cause: 3 + i for i, cause in enumerate(ERROR_CAUSES.values())})
    text = card(replace(measured, drawings=replace(measured.drawings, causes=causes)), "x", [])
    table_rows = rows(text, "Known failures")
    assert [(row[0].strip(), int(row[1])) for row in table_rows] == list(causes.items())


def test_every_misread_drawing_has_a_cause(shipped: Checkpoint) -> None:
    bias = shipped.parameters["biases/out"] + np.where(np.arange(10) == 7, np.float32(8), np.float32(0))
    sees_sevens = save({**shipped.parameters, "biases/out": bias}, shipped.card)
    test = Split(*make_digits(10, seed=7))
    few = replace(FEW, corrupted=1, in_files=2, pages_each=1, in_mnist_c=1, non_digits_each=1)
    results = measure(sees_sevens, None, test, log=print, amounts=few).drawings
    assert 0 < results.causes.total() == 60 - results.predictions.correct(results.labels)


@pytest.mark.parametrize("synthetic", [0.0, 0.5])
def test_synthetic_digits_in_the_training_are_mentioned(measured: Measurements, synthetic: float) -> None:
    shipped = measured.checkpoint
    update = {"recipe": shipped.card.recipe.with_overrides({"synthetic": synthetic}), "dataset": "mnist"}
    checkpoint = save(shipped.parameters, shipped.card.model_copy(update=update))
    text = " ".join(card(replace(measured, checkpoint=checkpoint), "x", []).split())
    assert ("and on synthetic digits, drawn as strokes: 50% as many. The last" in text) == bool(synthetic)
    assert ("came from another generator" in text) == bool(synthetic)


def test_pictures_without_a_digit_are_all_counted_once(measured: Measurements) -> None:
    *kinds, everything = rows(card(measured, "x", []), "Pictures that hold no digit")
    assert [row[0].strip() for row in kinds] == list(KINDS)
    for row in (*kinds, everything):
        assert int(row[1]) == sum(int(cell) for cell in row[2:])
    assert int(everything[1]) == 20
    assert int(kinds[0][2]) == 2  # blank: refused


def test_without_a_comparison_its_columns_are_left_out(measured: Measurements) -> None:
    alone = replace(
        measured,
        compared=None,
        corruptions=[replace(s, compared_strict=None, compared_normalized=None) for s in measured.corruptions],
        drawings=replace(measured.drawings, compared=None),
    )
    text = card(alone, "x", [])
    assert len(rows(text, "Pictures that are not clean")[0]) == 4
    assert len(rows(text, "Digits that people draw")[0]) == 5


def test_card_without_failures_has_no_sheets_of_failures(measured: Measurements) -> None:
    labels = measured.scored.probabilities.argmax(axis=1).astype(np.uint8)
    refused = TopPredictions(np.full(20, REFUSED), np.zeros(20, np.float32), np.zeros((20, 28, 28), np.uint8))
    correct = replace(measured.drawings.predictions, digits=measured.drawings.labels)
    perfect = replace(
        measured,
        test=replace(measured.test, labels=labels),
        drawings=replace(measured.drawings, predictions=correct, causes=Counter()),
        out_of_distribution=replace(measured.out_of_distribution, predictions=refused),
    )
    generated = {"corruptions", "drawings", "pages", "mnist_c", "numbers", "non_digits"}
    assert set(card_charts(perfect)) == {"confusion", "reliability"} | generated
    text = card(perfect, "x", ["confusion"])
    assert "misreads 0 of 40 test images" in text
    assert "To find the cause" not in text
    assert "\n\n\n" not in text
    assert re.findall(r"!\[", text) == ["!["]


def test_own_recipe_is_shown_as_a_command(measured: Measurements, shipped: Checkpoint) -> None:
    recipe = TUTORIAL.with_overrides({"learning_rate": 0.002, "seed": 5})
    update = {"recipe": recipe, "dataset": "custom", "temperature": 1.0}
    own = save(shipped.parameters, shipped.card.model_copy(update=update))
    text = card(replace(measured, checkpoint=own), "x", [])
    assert "inkling train --recipe tutorial --set learning_rate=0.002 --set seed=5 --out FILE" in text
    assert "No temperature was fitted" in text
    assert "MNIST](http" not in text.split("## How it was trained")[0]


def test_card_links_nothing_outside_its_folder(measured: Measurements) -> None:
    links = re.findall(r"\]\(([^)]*)\)", card(measured, "x", ["confusion", "misread"]))
    assert [link for link in links if not link.startswith("https://") and "yann.lecun.com" not in link] == [
        "x/confusion.png",
        "x/yardstick.json",
        "x/misread.png",
    ]


def test_each_phase_is_logged_as_it_begins(measured: Measurements, log: list[str]) -> None:
    assert log[0] == "scoring 40 test images"
    assert [line.split(": ")[1] for line in log if line.startswith("corruption")] == ["none", *CORRUPTIONS]
    assert "drawing pictures that hold no digit" in log
    assert log[-1] == "drawing 2 pictures of each of 15 kinds that hold no digit"


def test_refused_picture_is_no_digit_and_not_correct(measured: Measurements) -> None:
    digit = make_digits(1, seed=8)[0][0]
    normalized = normalize_or_refuse([np.zeros((50, 60), np.uint8), digit])
    assert normalized.is_refused.tolist() == [True, False]
    classifier = Classifier(measured.checkpoint, 1)
    predictions = predict_normalized(classifier, normalized)
    assert predictions.digits.tolist() == [REFUSED, int(predict_strict(classifier, digit[np.newaxis]).digits[0])]
    assert predictions.confidences[0] == 0
    np.testing.assert_array_equal(predictions.images[1], digit)  # it looks like MNIST already
    assert predictions.correct(predictions.digits.clip(0)) == 1


def test_paragraph_is_wrapped() -> None:
    text = paragraph("  some words\n   " + "and more " * 30)
    assert text.startswith("some words and more")
    assert max(map(len, text.splitlines())) <= 120


def test_table_aligns_numbers_to_the_right() -> None:
    text = table(["", "count"], [["some", "1,000"], ["**all**", "**2,000**"]])
    assert text.splitlines()[1] == "| --- | ---: |"
    assert (counted(1, "picture"), counted(1200, "picture")) == ("1 picture", "1,200 pictures")
