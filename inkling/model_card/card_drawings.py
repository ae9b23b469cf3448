"""What the card says of digits that people draw."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES
from inkling.model_card.drawings import BRUSHES
from inkling.model_card.error_causes import CAUSES, USUAL_BRUSH
from inkling.model_card.markdown import bold, confusions, paragraph, table
from inkling.model_card.measurements import Measurements, Strokes
from inkling.model_card.readings import REFUSED
from inkling.network.evaluation import wilson_interval


def scores(measured: Measurements) -> str:
    """Return the section that scores drawn digits, in Markdown."""
    strokes = measured.strokes
    digits, labels, compared = strokes.readings.digits, strokes.labels, strokes.compared

    def row(title: str, is_chosen: NDArray[np.bool_]) -> list[str]:
        count, right = int(is_chosen.sum()), int((digits == labels)[is_chosen].sum())
        low, high = wilson_interval(right, count)
        refused = int((digits == REFUSED)[is_chosen].sum())
        cells = [title, f"{count:,}", f"{right / count:.4f}", f"{low:.4f} to {high:.4f}", str(refused)]
        return [*cells, f"{(compared.digits == labels)[is_chosen].mean():.4f}"] if compared else cells

    header = ["", "drawings", "accuracy", "95 % interval", "refused"]
    if measured.compared:
        header.append(f"`{measured.compared.card.recipe.name}`")
    brushes = [brush for brush in BRUSHES if (strokes.brushes == brush).any()]
    rows = [row(f"brush {brush:.2f}", strokes.brushes == brush) for brush in brushes]
    rows += [row(f"digit {digit}", labels == digit) for digit in range(NUM_CLASSES) if digit in labels]
    rows.append(bold(row("all", np.ones(len(labels), np.bool_))))
    low, high = measured.scored.evaluation.interval_95
    learned = ""
    if measured.checkpoint.card.recipe.synthetic:
        learned = """The drawn digits that the network learned are another generator's, but of the same kinds of shapes,
            pens and slants: a stranger's strokes may be read worse ([trials.md](trials.md))."""
    summary = paragraph(f"""
        {len(labels):,} digits drawn as strokes by a seeded generator: several common shapes of each digit, varied as
        hands vary; a round brush of 0.05 to 0.2 of the digit's height; canvases of 140x140 to 400x300 pixels; dark on
        light and light on dark; any place and size. They are read through `fit=mnist`. The scanned digits, MNIST's test
        images, come to {measured.scored.evaluation.accuracy:.4f} ({low:.4f} to {high:.4f}). {learned}""")
    return f"## Digits that people draw\n\n{summary}\n\n{table(header, rows)}"


def failures(measured: Measurements) -> str:
    """Return which drawn digits are misread and why, in Markdown."""
    readings, labels, causes = measured.strokes.readings, measured.strokes.labels, measured.strokes.causes
    is_wrong = (readings.digits != labels) & (readings.digits != REFUSED)
    summary = paragraph(f"""
        Of {len(labels):,} drawn digits it misreads {int(is_wrong.sum()):,}, most often
        {confusions(labels[is_wrong], readings.digits[is_wrong])}; {readings.refused:,} more were refused. The shapes
        read worst: {_worst_shapes(measured.strokes)}.""")
    if not causes:
        return summary
    why = paragraph(f"""
        Each of them was drawn again with the brush or the hand changed, to see why. The other brush is {USUAL_BRUSH} of
        the digit's height, as MNIST's; the other hand draws the shape as it is taught, neither slanted nor bent:""")
    rows = table(("what it is", "digits"), [(cause, str(causes[cause])) for cause in CAUSES.values()])
    surest = "The surest mistakes come first, each beside what `fit=mnist` made of it:"
    return "\n\n".join([summary, why, rows, surest])


def _worst_shapes(strokes: Strokes) -> str:
    """Return the four shapes with the least accuracy in words, worst first."""
    is_right: dict[str, list[bool]] = {}
    for drawing, digit in zip(strokes.drawings, strokes.readings.digits, strict=True):
        is_right.setdefault(f"{drawing.label} {drawing.shape}", []).append(drawing.label == digit)
    worst = sorted(is_right, key=lambda shape: (np.mean(is_right[shape]), shape))[:4]
    return ", ".join(f"{shape} ({sum(is_right[shape])} of {len(is_right[shape])} right)" for shape in worst)
