"""The model card's values about drawn digits."""

from typing import Any

import numpy as np

from inkling.digit import NUM_CLASSES, Mask
from inkling.model_card.drawings import BRUSHES
from inkling.model_card.error_causes import ERROR_CAUSES, STANDARD_BRUSH
from inkling.model_card.markdown import bold, confusions
from inkling.model_card.measurements import DrawingResults, Measurements
from inkling.model_card.predictions import REFUSED
from inkling.network.evaluation import wilson_interval


def drawing_values(measured: Measurements) -> dict[str, Any]:
    """Return the template's values of the sections on drawn digits and on failures."""
    results = measured.drawings
    digits, labels, causes = results.predictions.digits, results.labels, results.causes
    is_misread = (digits != labels) & (digits != REFUSED)
    header = ["", "drawings", "accuracy", "95% interval", "refused"]
    if measured.compared:
        header.append(f"`{measured.compared.card.recipe.name}`")
    return {
        "count": len(labels),
        "header": header,
        "rows": _accuracy_rows(results),
        "misread": int(is_misread.sum()),
        "confusions": confusions(labels[is_misread], digits[is_misread]),
        "refused": results.predictions.refused,
        "hardest_templates": _hardest_templates(results),
        "standard_brush": STANDARD_BRUSH,
        "causes": [(cause, str(causes[cause])) for cause in ERROR_CAUSES.values()] if causes else [],
    }


def _accuracy_rows(results: DrawingResults) -> list[list[str]]:
    """Return a row per brush, a row per digit, and a row for all drawings."""
    digits, labels, compared = results.predictions.digits, results.labels, results.compared

    def row(title: str, is_chosen: Mask) -> list[str]:
        count, correct = int(is_chosen.sum()), int((digits == labels)[is_chosen].sum())
        low, high = wilson_interval(correct, count)
        refused = int((digits == REFUSED)[is_chosen].sum())
        cells = [title, f"{count:,}", f"{correct / count:.4f}", f"{low:.4f} to {high:.4f}", str(refused)]
        return [*cells, f"{(compared.digits == labels)[is_chosen].mean():.4f}"] if compared else cells

    brushes = [brush for brush in BRUSHES if (results.brushes == brush).any()]
    rows = [row(f"brush {brush:.2f}", results.brushes == brush) for brush in brushes]
    rows += [row(f"digit {digit}", labels == digit) for digit in range(NUM_CLASSES) if digit in labels]
    return [*rows, bold(row("all", np.ones(len(labels), np.bool_)))]


def _hardest_templates(results: DrawingResults) -> str:
    """Return the four templates with the lowest accuracy in words, lowest first."""
    is_correct: dict[str, list[bool]] = {}
    for drawing, digit in zip(results.drawings, results.predictions.digits, strict=True):
        is_correct.setdefault(f"{drawing.label} {drawing.template}", []).append(drawing.label == digit)
    hardest = sorted(is_correct, key=lambda template: (np.mean(is_correct[template]), template))[:4]
    return ", ".join(
        f"{template} ({sum(is_correct[template])} of {len(is_correct[template])} correct)" for template in hardest
    )
