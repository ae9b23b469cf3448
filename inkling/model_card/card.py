"""The model card (Mitchell et al. 2019, https://arxiv.org/abs/1810.03993): what was measured, in Markdown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkling.atomic_file import write_atomically
from inkling.mnist import CANONICAL_COUNTS, TEST_IMAGES, TRAIN_IMAGES
from inkling.model_card import card_drawings as drawn
from inkling.model_card.charts import png
from inkling.model_card.corruptions import CHANGES
from inkling.model_card.figures import figures
from inkling.model_card.markdown import bold, confusions, counted, paragraph, table
from inkling.model_card.measurements import ChangeScore, Measurements
from inkling.model_card.non_digits import KINDS
from inkling.model_card.readings import REFUSED
from inkling.network.evaluation import Evaluation
from inkling.network.recipe import RECIPES, Recipe

UNSURE, SURE = 0.5, 0.8
"""Confidences at which the answers to pictures without a digit are split."""


def write_card(path: Path, measured: Measurements) -> list[Path]:
    """Write the card, and its pictures into a folder of the same name beside it; return what was written.

    The same measurements make the same files, byte for byte: nothing tells the date.
    """
    pictures = {name: png(picture) for name, picture in figures(measured).items()}
    files = {path.with_suffix("") / f"{name}.png": content for name, content in pictures.items()}
    files[path] = card(measured, path.stem, list(pictures)).encode()
    for file, content in files.items():
        write_atomically(file, content)
    return list(files)


def card(measured: Measurements, folder: str, pictures: Sequence[str]) -> str:
    """Return the card as Markdown, with those of its pictures that there are, as FOLDER/NAME.png."""

    def picture(name: str, title: str) -> str:
        return f"![{title}]({folder}/{name}.png)" if name in pictures else ""

    sections = [
        _purpose(measured),
        _data(measured),
        _training(measured),
        _scores(measured.scored.evaluation),
        picture("confusion", "How often each digit was read as each"),
        _calibration(measured),
        picture("reliability", "Accuracy against confidence, before and after"),
        _robustness(measured),
        picture("changes", "Each digit under each change"),
        _files(measured),
        drawn.scores(measured),
        picture("strokes", "Digits drawn with each brush"),
        _non_digits(measured),
        picture("no_digits", "Pictures without a digit, with the digit answered and its confidence"),
        _failures(measured),
        picture("misread", "Test digits with their label, what was read instead, and the confidence"),
        drawn.failures(measured),
        picture("strokes_misread", "Drawn digits that were misread, each beside what the network saw"),
        "## Trials",
        "What was tried, on which images each choice was made, and what did not help: [trials.md](trials.md).",
        _file(measured),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _purpose(measured: Measurements) -> str:
    evaluation = measured.scored.evaluation
    summary = paragraph(f"""
        The network that the recipe `{measured.checkpoint.card.recipe.name}` trained. It reads one handwritten digit,
        0 to 9, on a picture of 28x28 pixels. It is the perceptron of TensorFlow's tutorial: 784-128-256-10 with
        sigmoids, 136,074 parameters. Of the {evaluation.total:,} test images it reads {evaluation.correct:,} right:
        {_interval(evaluation)}.""")
    return f"""# Model card

{summary}

*Made by `inkling evaluate --report`. Every figure below was measured on this very file.*

## What it is for

It is for learning how a network, its training and its serving work, for demonstrations and for tests. It reads single
digits that people write or draw, where a person looks at the doubtful ones. Send `fit=mnist` with any picture that is
not MNIST's own.

## What it is not for

- Nothing where a misread digit costs money or harms somebody: no cheques, ballots, meters or medicine.
- No numbers of several digits, no letters, no digits of other scripts. It knows ten classes and no eleventh: a letter
  that `fit=mnist` lets through is answered as a digit.
- No defence against pictures that are made to deceive it."""


def _data(measured: Measurements) -> str:
    card = measured.checkpoint.card
    if card.dataset != "mnist":
        source = f"Images of its trainer's own (`{card.dataset}`); {len(measured.test):,} of them to test on."
    else:
        total, held_out = CANONICAL_COUNTS[TRAIN_IMAGES], card.recipe.validation_size
        share = card.recipe.synthetic
        drawn = f", and on digits drawn as strokes, {100 * share:.0f} % as many" if share else ""
        source = paragraph(f"""
            [MNIST](http://yann.lecun.com/exdb/mnist/) by LeCun, Cortes and Burges: {total:,} images to train on and
            {CANONICAL_COUNTS[TEST_IMAGES]:,} to test on, 28x28 pixels. Employees of the US Census Bureau and US
            high-school students wrote the digits on forms, before 1995; nobody wrote for both parts. So the hands are
            American, the pens alike and the scans clean. A 1 with a long flag, a 7 with a bar and a digit drawn by a
            finger are rarer here than in the world. {total - held_out:,} images were trained on{drawn}.
            The last {held_out:,} were held out.""")
    return f"## The data\n\n{source}\n\nSHA-256 over the files' own: `{card.dataset_digest}`."


def _training(measured: Measurements) -> str:
    card = measured.checkpoint.card
    fields = [
        (f"`{name}`", f"`{getattr(card.recipe, name)}`", field.description or "")
        for name, field in Recipe.model_fields.items()
    ]
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(card.libraries.items()))
    return f"""## How it was trained

    {_command(card.recipe)}

trains it again, with {libraries or "libraries that were not recorded"}.

{table(("field", "value", "meaning"), fields)}"""


def _command(recipe: Recipe) -> str:
    """Return the command that trains by this recipe: its preset, and what differs from it."""
    preset = next((preset for name, preset in RECIPES.items() if name == recipe.name), Recipe())
    if recipe == preset:
        return f"make train RECIPE={recipe.name}"
    names = [name for name in Recipe.model_fields if name != "name" and getattr(recipe, name) != getattr(preset, name)]
    changes = [f"--set {name}={getattr(recipe, name)}" for name in names]
    return " ".join([f"inkling train --recipe {preset.name}", *changes, "--out FILE"])


def _scores(evaluation: Evaluation) -> str:
    summary = paragraph(f"""
        On the {evaluation.total:,} test images, sent as they are: {evaluation.correct:,} right, accuracy
        {_interval(evaluation)}, loss {evaluation.loss:.4f} nats an image.""")
    rows = [
        (str(score.digit), f"{score.count:,}", f"{score.precision:.4f}", f"{score.recall:.4f}")
        for score in evaluation.digits
    ]
    return f"""## Scores

{summary}

{table(("digit", "images", "precision", "recall"), rows)}

Rows are what was written, columns what was read:"""


def _calibration(measured: Measurements) -> str:
    temperature = measured.checkpoint.card.temperature
    rows = [
        (title, f"{value:.4f}", f"{scored.evaluation.calibration_error:.4f}", f"{scored.evaluation.loss:.4f}")
        for title, value, scored in (("before", 1, measured.untempered), ("after", temperature, measured.scored))
    ]
    what = (
        "No temperature was fitted: the logits are left as they are."
        if temperature == 1
        else "The logits are divided by a temperature, fitted on the held-out images. It changes no answer."
    )
    summary = paragraph(f"""
        {what} The expected calibration error is the mean gap between confidence and accuracy over 15 bins of
        confidence ([Guo et al. 2017](https://arxiv.org/abs/1706.04599)).""")
    return f"""## Does the confidence mean what it says?

{summary}

{table(("", "temperature", "calibration error", "loss"), rows)}

A bar is the accuracy of the images in one bin, the figure on it their number. Good bars reach the dashed line:"""


def _robustness(measured: Measurements) -> str:
    total = len(measured.test)
    unchanged, *changes = measured.changes
    compared = measured.compared.card.recipe.name if measured.compared else None
    header = ["change", "as sent", "`fit=mnist`", "refused"]
    if compared:
        header += [f"`{compared}`, as sent", f"`{compared}`, `fit=mnist`"]

    def row(name: str, scores: list[ChangeScore]) -> list[str]:
        columns = [[s.raw for s in scores], [s.fitted for s in scores], [s.refused for s in scores]]
        if compared:
            columns += [[s.compared_raw or 0 for s in scores], [s.compared_fitted or 0 for s in scores]]
        return [name, *(f"{np.mean(column) / total:.4f}" for column in columns)]

    rows = [row(score.name, [score]) for score in (unchanged, *changes)]
    rows.append(bold(row("mean of the changes", changes)))
    worst = min(changes, key=lambda score: score.fitted)
    summary = paragraph(f"""
        All {total:,} test images under {len(changes)} changes that people's pictures have and MNIST does not: the share
        read right, sent as they are and through `fit=mnist`. What `fit=mnist` refuses counts as wrong; a column says
        how much that is. The hardest change through `fit=mnist` is {worst.name}: {worst.fitted / total:.4f}.
        {f"The last columns are the same for the network of the recipe `{compared}`." if compared else ""}""")
    kinds = [(name, (change.__doc__ or "").splitlines()[0]) for name, change in CHANGES.items()]
    source = paragraph("""
        The kinds follow [MNIST-C](https://arxiv.org/abs/1906.02337). The strengths are ours, such that a person reads
        nearly all. Grays are shares of the span from ground to ink, lengths are pixels of 28.""")
    return f"""## Pictures that are not clean

{summary}

{table(header, rows)}

{source}

{table(("change", "what is done"), kinds)}"""


def _files(measured: Measurements) -> str:
    rows = [(score.name, f"{score.kept / score.right:.4f}", str(score.refused)) for score in measured.files]
    worst = min(measured.files, key=lambda score: score.kept)
    summary = paragraph(f"""
        The first {measured.files[0].images:,} test images in {len(rows)} kinds of files, through
        `fit=mnist`: of those read right as they are, the share that still is. Sizes, places, colors, formats and
        uneven light must not matter. The hardest is {worst.name}: {worst.kept / worst.right:.4f}.""")
    return f"## Any file\n\n{summary}\n\n{table(('kept as', 'still right', 'refused'), rows)}"


def _non_digits(measured: Measurements) -> str:
    readings = measured.non_digits.readings
    kinds = np.array([item.kind for item in measured.non_digits.pictures])
    is_refused, confidences = readings.digits == REFUSED, readings.confidences
    splits = [
        is_refused,
        ~is_refused & (confidences < UNSURE),
        (confidences >= UNSURE) & (confidences < SURE),
        confidences >= SURE,
    ]

    def row(title: str, is_chosen: NDArray[np.bool_]) -> list[str]:
        return [title, str(is_chosen.sum()), *(str((split & is_chosen).sum()) for split in splits)]

    rows = [row(kind, kinds == kind) for kind in KINDS]
    rows.append(bold(row("all", np.ones(len(kinds), np.bool_))))
    header = ("", "pictures", "422", f"confidence < {UNSURE}", f"{UNSURE} to {SURE}", f"{SURE} and more")
    summary = paragraph(f"""
        {len(kinds)} pictures without a single digit, through `fit=mnist`: how many were refused with 422, and how sure
        the answers to the others were. {counted(int(splits[-1].sum()), "picture")} got a digit with a confidence of
        {SURE} or more: the network cannot say "none".""")
    return f"## Pictures that hold no digit\n\n{summary}\n\n{table(header, rows)}"


def _failures(measured: Measurements) -> str:
    probabilities, labels = measured.scored.probabilities, measured.test.labels
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_wrong, is_sure = digits != labels, confidences >= SURE
    summary = paragraph(f"""
        It misreads {counted(int(is_wrong.sum()), "test image")} of {len(labels):,}; most often
        {confusions(labels[is_wrong], digits[is_wrong])}. {int((is_wrong & is_sure).sum())} of the mistakes come with a
        confidence of {SURE} or more: a threshold there does not find them. It would find the other
        {int((is_wrong & ~is_sure).sum())}, among {int((~is_sure).sum())} doubtful answers. The surest mistakes come
        first, each with its label, what was read, and the confidence:""")
    return f"## Known failures\n\n{summary}"


def _file(measured: Measurements) -> str:
    lines = [f"SHA-256 `{measured.checkpoint.digest}`, {len(measured.checkpoint.content):,} bytes."]
    if other := measured.compared:
        lines.append(f"The network beside it, `{other.card.recipe.name}`: SHA-256 `{other.digest}`.")
    return "\n\n".join(["## The file", *lines])


def _interval(evaluation: Evaluation) -> str:
    low, high = evaluation.interval_95
    return f"{evaluation.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f})"
