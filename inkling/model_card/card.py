"""The model card: its values computed from the measurements, and its text from the template card.md.j2."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from inkling.atomic_file import write_atomically
from inkling.digit import Mask
from inkling.mnist import CANONICAL_COUNTS, TEST_IMAGES, TRAIN_IMAGES
from inkling.model_card.card_charts import card_charts
from inkling.model_card.card_drawings import drawing_values
from inkling.model_card.card_yardstick import yardstick_values
from inkling.model_card.corruptions import CORRUPTIONS
from inkling.model_card.markdown import bold, confusions, counted, paragraph, table
from inkling.model_card.measurements import CorruptionScore, Measurements
from inkling.model_card.out_of_distribution import KINDS
from inkling.model_card.predictions import REFUSED
from inkling.network.recipe import RECIPES, Recipe

COUNTS = "yardstick.json"
"""The file of the counts on pages, MNIST-C, numbers and non-digits, which a later card can be compared with."""
UNCERTAIN, CONFIDENT = 0.5, 0.8
"""Confidences at which the answers to pictures without a digit are split."""

Values = dict[str, Any]


def write_card(path: Path, measured: Measurements) -> list[Path]:
    """Write the card, and its charts and counts into a folder of the same name beside it; return the files written.

    The same measurements give the same files, byte for byte: nothing depends on the date or the place.
    """
    charts = card_charts(measured)
    files = {path.with_suffix("") / f"{name}.png": content for name, content in charts.items()}
    files[path.with_suffix("") / COUNTS] = f"{measured.yardstick.model_dump_json(indent=1)}\n".encode()
    files[path] = card(measured, path.stem, charts.keys()).encode()
    for file, content in files.items():
        write_atomically(file, content)
    return list(files)


def card(measured: Measurements, folder: str, charts: Collection[str]) -> str:
    """Return the card as Markdown, with links to the charts that exist, as FOLDER/NAME.png."""
    text = (
        _environment()
        .get_template("card.md.j2")
        .render(
            checkpoint=measured.checkpoint,
            card=measured.checkpoint.card,
            recipe=measured.checkpoint.card.recipe,
            compared=measured.compared,
            evaluation=measured.scored.evaluation,
            test_images=len(measured.test),
            confident=CONFIDENT,
            data=_data(measured),
            training=_training(measured),
            digit_scores=_digit_scores(measured),
            calibration=_calibration(measured),
            corruptions=_corruptions(measured),
            files=_files(measured),
            drawings=drawing_values(measured),
            out_of_distribution=_out_of_distribution(measured),
            yardstick=yardstick_values(measured.yardstick, measured.before),
            counts=COUNTS,
            digit_probe_rows=_digit_probe_rows(measured),
            failures=_failures(measured),
            folder=folder,
            charts=charts,
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text)  # what was left out leaves blank lines


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("inkling.model_card", "."),
        autoescape=select_autoescape(),  # of HTML; Markdown is left alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["paragraph"] = lambda text: f"{paragraph(text)}\n"
    environment.filters["grouped"] = "{:,}".format
    environment.filters["share"] = "{:.4f}".format
    environment.globals["table"] = table
    return environment


def _data(measured: Measurements) -> Values:
    training_images = CANONICAL_COUNTS[TRAIN_IMAGES]
    return {
        "is_mnist": measured.checkpoint.card.dataset == "mnist",
        "training_images": training_images,
        "test_images": CANONICAL_COUNTS[TEST_IMAGES],
        "trained_on": training_images - measured.checkpoint.card.recipe.validation_size,
    }


def _training(measured: Measurements) -> Values:
    card = measured.checkpoint.card
    fields = [
        (f"`{name}`", f"`{getattr(card.recipe, name)}`", field.description or "")
        for name, field in Recipe.model_fields.items()
    ]
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(card.libraries.items()))
    return {"command": _command(card.recipe), "libraries": libraries, "fields": fields}


def _command(recipe: Recipe) -> str:
    """Return the command that trains by this recipe: its preset, and the fields that differ from it."""
    preset = next((preset for name, preset in RECIPES.items() if name == recipe.name), Recipe())
    if recipe == preset:
        return f"make train RECIPE={recipe.name}"
    names = [name for name in Recipe.model_fields if name != "name" and getattr(recipe, name) != getattr(preset, name)]
    overrides = [f"--set {name}={getattr(recipe, name)}" for name in names]
    return " ".join([f"inkling train --recipe {preset.name}", *overrides, "--out FILE"])


def _digit_scores(measured: Measurements) -> list[list[str]]:
    return [
        [str(score.digit), f"{score.count:,}", f"{score.precision:.4f}", f"{score.recall:.4f}"]
        for score in measured.scored.evaluation.digits
    ]


def _calibration(measured: Measurements) -> list[list[str]]:
    card = measured.checkpoint.card
    rows = [("before", 1, measured.uncalibrated), ("after", card.temperature, measured.single_view)]
    if card.views:
        rows.append(("with views of unsure images", card.views.temperature, measured.scored))
    return [
        [title, f"{value:.4f}", f"{scored.evaluation.calibration_error:.4f}", f"{scored.evaluation.loss:.4f}"]
        for title, value, scored in rows
    ]


def _corruptions(measured: Measurements) -> Values:
    uncorrupted, *corruptions = measured.corruptions
    total = uncorrupted.images
    compared = measured.compared.card.recipe.name if measured.compared else None
    header = ["corruption", "as sent", "`fit=mnist`", "refused"]
    if compared:
        header += [f"`{compared}`, as sent", f"`{compared}`, `fit=mnist`"]

    def row(name: str, scores: list[CorruptionScore]) -> list[str]:
        columns = [[s.strict for s in scores], [s.normalized for s in scores], [s.refused for s in scores]]
        if compared:
            columns += [[s.compared_strict or 0 for s in scores], [s.compared_normalized or 0 for s in scores]]
        return [name, *(f"{np.mean(column) / total:.4f}" for column in columns)]

    hardest = min(corruptions, key=lambda score: score.normalized)
    return {
        "count": len(corruptions),
        "images": total,
        "hardest": {"name": hardest.name, "share": hardest.normalized / total},
        "header": header,
        "rows": [
            *(row(score.name, [score]) for score in (uncorrupted, *corruptions)),
            bold(row("mean of the corruptions", corruptions)),
        ],
        "descriptions": [(name, (function.__doc__ or "").splitlines()[0]) for name, function in CORRUPTIONS.items()],
    }


def _files(measured: Measurements) -> Values:
    hardest = min(measured.files, key=lambda score: score.still_correct)
    return {
        "images": hardest.images,
        "hardest": {"name": hardest.name, "share": hardest.still_correct / hardest.correct},
        "rows": [
            (score.name, f"{score.still_correct / score.correct:.4f}", str(score.refused)) for score in measured.files
        ],
    }


def _digit_probe_rows(measured: Measurements) -> list[tuple[str, str]]:
    fit = measured.checkpoint.card.digit_probe
    return [] if fit is None else [(kind, f"{share:.2f}") for kind, share in fit.found.items()]


def _out_of_distribution(measured: Measurements) -> Values:
    predictions = measured.out_of_distribution.predictions
    kinds = np.array([item.kind for item in measured.out_of_distribution.pictures])
    is_refused, confidences = predictions.digits == REFUSED, predictions.confidences
    splits = [
        is_refused,
        ~is_refused & (confidences < UNCERTAIN),
        (confidences >= UNCERTAIN) & (confidences < CONFIDENT),
        confidences >= CONFIDENT,
    ]

    def row(title: str, is_chosen: Mask) -> list[str]:
        return [title, str(is_chosen.sum()), *(str((split & is_chosen).sum()) for split in splits)]

    return {
        "count": len(kinds),
        "confident": counted(int(splits[-1].sum()), "picture"),
        "header": ("", "pictures", "422", f"confidence < {UNCERTAIN}", f"{UNCERTAIN} to {CONFIDENT}", f"≥ {CONFIDENT}"),
        "rows": [*(row(kind, kinds == kind) for kind in KINDS), bold(row("all", np.ones(len(kinds), np.bool_)))],
    }


def _failures(measured: Measurements) -> Values:
    probabilities, labels = measured.scored.probabilities, measured.test.labels
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_wrong, is_confident = digits != labels, confidences >= CONFIDENT
    return {
        "wrong": int(is_wrong.sum()),
        "confusions": confusions(labels[is_wrong], digits[is_wrong]),
        "confident": int((is_wrong & is_confident).sum()),
        "uncertain": int((is_wrong & ~is_confident).sum()),
        "uncertain_answers": int((~is_confident).sum()),
    }
