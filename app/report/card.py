"""The model card (Mitchell et al. 2019, https://arxiv.org/abs/1810.03993): what was measured, in Markdown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.report.changes import CHANGES
from app.report.figures import figures
from app.report.measurements import UNCHANGED, ChangeScore, Measurements
from app.report.nondigits import KINDS
from app.report.pictures import png
from app.report.readings import REFUSED
from app.report.strokes import BRUSHES
from training.dataset import CANONICAL_COUNTS, NUM_CLASSES, TEST_IMAGES, TRAIN_IMAGES, write_whole
from training.evaluation import Evaluation, wilson_interval
from training.recipe import RECIPES, Recipe

CONFIDENCES = (0.5, 0.8)
"""Where the answers to pictures without a digit are split: unsure, doubtful, sure."""


def write_card(path: Path, measured: Measurements) -> list[Path]:
    """Write the card, and its pictures into a folder of the same name beside it; return what was written.

    The same measurements make the same files, byte for byte: nothing tells the date.
    """
    pictures = {name: png(picture) for name, picture in figures(measured).items()}
    files = {path.with_suffix("") / f"{name}.png": content for name, content in pictures.items()}
    files[path] = card(measured, path.stem, list(pictures)).encode()
    for file, content in files.items():
        write_whole(file, content)
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
        _strokes(measured),
        picture("strokes", "Digits drawn with each brush"),
        _non_digits(measured),
        picture("no_digits", "Pictures without a digit, with the digit answered and its confidence"),
        _failures(measured),
        picture("misread", "Test digits with their label, what was read instead, and the confidence"),
        _drawn_failures(measured),
        picture("strokes_misread", "Drawn digits that were misread, each beside what the network saw"),
        "## Trials\n\nWhat was tried, on which images each choice was made, and what did not help: [trials.md](trials.md).",
        f"## The file\n\nSHA-256 `{measured.checkpoint.digest}`, {len(measured.checkpoint.content):,} bytes.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _purpose(measured: Measurements) -> str:
    evaluation = measured.scored.evaluation
    return f"""# Model card

The network that was trained by the recipe `{measured.checkpoint.card.recipe.name}`: it reads one handwritten digit, 0 to
9, on a picture of 28x28 pixels. It is the perceptron of TensorFlow's tutorial, 784-128-256-10 with sigmoids, 136,074
parameters. Of the {evaluation.total:,} test images it reads {evaluation.correct:,} right: {_interval(evaluation)}.

*Made by `inkling evaluate --report`; every figure below is measured on this very file.*

## For what it is

For learning how a network, its training and its serving work; for demonstrations and tests; for single digits that
people write or draw, where a person looks at the doubtful ones. Send `fit=mnist` with any picture but MNIST's own.

## For what it is not

- Nothing where a misread digit costs money or harms somebody: no cheques, ballots, meters or medicine.
- No numbers of several digits, letters, or digits of other scripts than 0123456789. It knows ten classes and no
  eleventh: a letter that `fit=mnist` lets through is answered as a digit.
- No defence against pictures that are made to deceive it."""


def _data(measured: Measurements) -> str:
    card = measured.checkpoint.card
    if card.dataset != "mnist":
        source = f"Images of its trainer's own (`{card.dataset}`), {len(measured.test):,} of them to test on."
    else:
        total = CANONICAL_COUNTS[TRAIN_IMAGES]
        held_out = card.recipe.validation_size
        source = f"""[MNIST](http://yann.lecun.com/exdb/mnist/) by LeCun, Cortes and Burges: {total:,} images to train on and
{CANONICAL_COUNTS[TEST_IMAGES]:,} to test on, 28x28 pixels. Employees of the US Census Bureau and US high-school students wrote the digits, on
forms, before 1995; nobody wrote for both parts. So the hands are American, the pens alike and the scans clean: a 1 with a
long flag, a 7 with a bar and a digit drawn by a finger are rarer than in the world.

{total - held_out:,} images were trained on. The last {held_out:,} were held out, to choose by and to fit the temperature on."""
    return f"## The data\n\n{source}\n\nSHA-256 over the files': `{card.dataset_digest}`."


def _training(measured: Measurements) -> str:
    card = measured.checkpoint.card
    fields = [
        (f"`{name}`", f"`{getattr(card.recipe, name)}`", field.description or "")
        for name, field in Recipe.model_fields.items()
    ]
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(card.libraries.items()))
    return f"""## How it was trained

    {_command(card.recipe)}

trains it again, with {libraries or "no library recorded"}.

{_table(("recipe", "value", "meaning"), fields)}"""


def _command(recipe: Recipe) -> str:
    preset = next((preset for name, preset in RECIPES.items() if name == recipe.name), None)
    if recipe == preset:
        return f"make train RECIPE={recipe.name}"
    base = preset or Recipe()
    changes = [
        f"--set {name}={getattr(recipe, name)}"
        for name in Recipe.model_fields
        if name != "name" and getattr(recipe, name) != getattr(base, name)
    ]
    return " ".join([f"inkling train --recipe {base.name}", *changes, "--out FILE"])


def _scores(evaluation: Evaluation) -> str:
    rows = [
        (str(score.digit), f"{score.count:,}", f"{score.precision:.4f}", f"{score.recall:.4f}")
        for score in evaluation.digits
    ]
    return f"""## Scores

On the {evaluation.total:,} test images, as they are: {evaluation.correct:,} right, accuracy {_interval(evaluation)}, loss
{evaluation.loss:.4f} nats an image.

{_table(("digit", "images", "precision", "recall"), rows)}

Rows are what was written, columns what was read:"""


def _calibration(measured: Measurements) -> str:
    before, after = measured.untempered.evaluation, measured.scored.evaluation
    rows = [
        (title, f"{temperature:.4f}", f"{evaluation.calibration_error:.4f}", f"{evaluation.loss:.4f}")
        for title, temperature, evaluation in (
            ("before", 1.0, before),
            ("after", measured.checkpoint.card.temperature, after),
        )
    ]
    return f"""## Does the confidence mean what it says?

The logits are divided by a temperature that was fitted on the held-out images (Guo et al. 2017,
https://arxiv.org/abs/1706.04599). It changes no answer. The expected calibration error is the mean gap between
confidence and accuracy over 15 bins of confidence.

{_table(("", "temperature", "calibration error", "loss"), rows)}"""


def _robustness(measured: Measurements) -> str:
    total = len(measured.test)
    compared = measured.compared.card.recipe.name if measured.compared else None
    header = ["change", "as sent", "`fit=mnist`", "refused"]
    if compared:
        header += [f"`{compared}` as sent", f"`{compared}` `fit=mnist`"]
    changes = measured.changes[1:]

    def row(name: str, scores: list[ChangeScore]) -> list[str]:
        columns = [[s.raw for s in scores], [s.fitted for s in scores]]
        others = [[s.compared_raw or 0 for s in scores], [s.compared_fitted or 0 for s in scores]] if compared else []
        shares = [f"{np.mean(column) / total:.4f}" for column in columns + others]
        refused = f"{np.mean([s.refused for s in scores]) / total:.4f}"
        return [name, *shares[:2], refused, *shares[2:]]

    rows = [row(UNCHANGED, measured.changes[:1]), *(row(score.name, [score]) for score in changes)]
    rows.append([f"**{cell}**" for cell in row("mean of the changes", changes)])
    kinds = [(name, (change.__doc__ or "").splitlines()[0]) for name, change in CHANGES.items()]
    worst = min(changes, key=lambda score: score.fitted)
    return f"""## Pictures that are not clean

All {total:,} test images under {len(changes)} changes that people's pictures have and MNIST does not; the share read right,
sent as they are and through `fit=mnist`. A picture that `fit=mnist` refuses counts as wrong; the column says how many.
The hardest change through `fit=mnist` is {worst.name}, {worst.fitted / total:.4f}.

{_table(header, rows)}

The kinds follow [MNIST-C](https://arxiv.org/abs/1906.02337); the strengths are ours (`app/report/changes.py`), such that a
person reads nearly all. Greys are shares of the span from ground to ink, lengths are pixels of 28.

{_table(("change", "what is done"), kinds)}"""


def _strokes(measured: Measurements) -> str:
    strokes = measured.strokes
    total = len(strokes.drawings)
    is_right = strokes.readings.digits == strokes.labels
    compared = measured.compared.card.recipe.name if measured.compared else None

    def row(title: str, is_chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[str]:
        count, right = int(is_chosen.sum()), int(is_right[is_chosen].sum())
        low, high = wilson_interval(right, count)
        refused = int((strokes.readings.digits[is_chosen] == REFUSED).sum())
        cells = [title, f"{count:,}", f"{right / count:.4f}", f"{low:.4f} to {high:.4f}", str(refused)]
        if strokes.compared:
            cells.append(f"{(strokes.compared.digits == strokes.labels)[is_chosen].mean():.4f}")
        return cells

    header = ["", "drawings", "accuracy", "95 % interval", "refused", *([f"`{compared}`"] if compared else [])]
    rows = [
        row(f"brush {brush:.2f}", strokes.brushes == brush) for brush in BRUSHES if (strokes.brushes == brush).any()
    ]
    rows += [row(f"digit {digit}", strokes.labels == digit) for digit in range(NUM_CLASSES) if digit in strokes.labels]
    rows.append([f"**{cell}**" for cell in row("all", np.ones(total, np.bool_))])
    return f"""## Digits that people draw

{total:,} digits drawn as strokes by a seeded generator (`app/report/strokes.py`): several common shapes of each digit, varied
as hands vary; a round brush of 0.05 to 0.2 of the digit's height; canvases of 140x140 to 400x300 pixels; dark on light
and light on dark; any place and size. They are read through `fit=mnist`. Scanned digits, the test images, come to
{measured.scored.evaluation.accuracy:.4f}.

{_table(header, rows)}"""


def _non_digits(measured: Measurements) -> str:
    readings = measured.non_digits.readings
    kinds = np.array([item.kind for item in measured.non_digits.pictures])
    low, high = CONFIDENCES
    is_answered = readings.digits != REFUSED
    splits = [
        ~is_answered,
        is_answered & (readings.confidences < low),
        is_answered & (readings.confidences >= low) & (readings.confidences < high),
        is_answered & (readings.confidences >= high),
    ]
    rows = [
        [kind, str((kinds == kind).sum()), *(str((split & (kinds == kind)).sum()) for split in splits)]
        for kind in KINDS
    ]
    rows.append([f"**{cell}**" for cell in ("all", len(kinds), *(split.sum() for split in splits))])
    header = ("", "pictures", "422", f"confidence < {low}", f"{low} to {high}", f"{high} and more")
    sure = int(splits[3].sum())
    return f"""## Pictures that hold no digit

{len(kinds)} pictures without a single digit, through `fit=mnist`: how many were refused with 422, and how sure the answers to
the others were. {_counted(sure, "picture", "pictures")} got a digit with a confidence of {high} or more; the network cannot say "none".

{_table(header, rows)}"""


def _failures(measured: Measurements) -> str:
    probabilities, labels = measured.scored.probabilities, measured.test.labels
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_wrong = digits != labels
    high = CONFIDENCES[1]
    sure = int((is_wrong & (confidences >= high)).sum())
    doubtful = confidences < high
    pairs = _pairs(labels[is_wrong], digits[is_wrong])
    return f"""## Known failures

It misreads {_counted(int(is_wrong.sum()), "test image", "test images")} of {len(labels):,}; most often {pairs}. Of these, {sure} come with a
confidence of {high} or more, so that no threshold finds them; {int(doubtful.sum())} answers in all have less, and
{int((doubtful & is_wrong).sum())} of those are wrong. The surest mistakes first, each with its label, what was read, and the confidence:"""


def _drawn_failures(measured: Measurements) -> str:
    strokes = measured.strokes
    digits, labels = strokes.readings.digits, strokes.labels
    is_wrong = (digits != labels) & (digits != REFUSED)
    return f"""Of the drawn digits it misreads {_counted(int(is_wrong.sum()), "drawing", "drawings")} of {len(labels):,}, most often
{_pairs(labels[is_wrong], digits[is_wrong])}; {strokes.readings.refused} more were refused. The surest mistakes first, each
beside what `fit=mnist` made of it:"""


def _pairs(
    labels: "np.ndarray[tuple[int], np.dtype[np.integer]]", digits: "np.ndarray[tuple[int], np.dtype[np.integer]]"
) -> str:
    """Return the five commonest confusions in words, commonest first."""
    pairs, counts = np.unique(np.stack([labels, digits]).astype(np.int64), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    return ", ".join(f"{pairs[0, i]} as {pairs[1, i]} ({counts[i]})" for i in order) or "nothing"


def _interval(evaluation: Evaluation) -> str:
    low, high = evaluation.interval_95
    return f"{evaluation.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f})"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns of figures are set to the right."""
    is_figure = [all(row[i].strip("*").replace(",", "")[:1].isdigit() for row in rows) for i in range(len(header))]
    rule = ["---:" if right else "---" for right in is_figure]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
