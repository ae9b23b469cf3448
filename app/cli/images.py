"""`inkling predict` and `inkling explain`: predictions for image files, and their explanations."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from app.cli.bulk import (
    BulkOptions,
    ColumnOption,
    EngineOption,
    OutOption,
    OverwriteOption,
    ProcessesOption,
    check_options,
    predict_many,
)
from app.cli.commands import Command
from app.cli.failures import CommandError, UsageError, describe, print_error, print_warning
from app.cli.image_paths import expand
from app.cli.parsers import integer
from app.cli.prediction_output import Output, choose_output, print_text, warnings_of
from app.cli.predictors import CheckpointOption, FitOption, load_predictor
from app.cli.progress import Progress
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.digit import NUM_CLASSES
from inkling.errors import InputError
from inkling.predictor import Fit, Predictions, Predictor

MAX_PLOTTED = 200
"""Images on one plot: 40 rows of 5. A plot takes 38 KB of memory per image."""

LIMITS = ("max_pixels", "max_side", "max_decoder_bytes")
"""The settings that limit a picture."""

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url", *LIMITS, "digit_threshold")
def predict(
    settings: Settings,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="image files (PNG, JPEG, WebP, BMP, GIF, AVIF, HEIC); folders, for the image files directly in them; "
            "and quoted patterns, such as 'scans/**/*.png'",
        ),
    ],
    *,
    out: OutOption = None,
    column: ColumnOption = None,
    overwrite: OverwriteOption = False,
    processes: ProcessesOption = None,
    engine: EngineOption = "local",
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help=f"Draw the images, {MAX_PLOTTED} at most, into this file.")
    ] = None,
    fit: FitOption = "strict",
    checkpoint: CheckpointOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per image.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with one row per image.")] = False,
) -> int:
    """Read the digits on image files. Files that cannot be read are errors; the others are still read."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    options = BulkOptions(column, overwrite, processes, engine)
    check_options(out, options, files, {"--json": as_json, "--csv": as_csv, "--plot": plot is not None})
    if plot is not None:
        _check_plot(plot)
    predictor = load_predictor(settings, checkpoint, fit)
    if out is not None:
        return predict_many(predictor, files, out, options, fit=fit, settings=settings)
    choose = partial(choose_output, as_json=as_json, as_csv=as_csv)
    return _predict_few(predictor, [Path(file) for file in files], fit, settings, choose=choose, plot=plot)


def _predict_few(
    predictor: Predictor,
    files: Sequence[Path],
    fit: Fit,
    settings: Settings,
    *,
    choose: Callable[[], Output],
    plot: Path | None,
) -> int:
    """Print the predictions of image files one by one, and draw them."""
    paths, failures = expand_all(files)
    output = choose()
    plotted: list[Predictions] = []
    for path, predictions in _read(predictor, paths, fit, settings):
        if predictions is None:
            failures += 1
            continue
        output(path, predictions, settings.digit_threshold)
        if plot is not None and len(plotted) < MAX_PLOTTED:
            plotted.append(predictions)
    if plot is not None and plotted:
        _draw(plot, plotted)
        if len(plotted) < len(paths) - failures:
            print_warning(f"{plot} shows only the first {MAX_PLOTTED} images")
    return 1 if failures else 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url", *LIMITS, "digit_threshold")
def explain(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="image file")],
    *,
    plot: Annotated[Path, typer.Option(metavar="PNG", help="Draw the heat map into this file.")],
    digit: Annotated[
        int | None,
        typer.Option(
            metavar="DIGIT",
            parser=integer(0, NUM_CLASSES - 1),
            help="The digit to explain, by default the most probable one.",
        ),
    ] = None,
    fit: FitOption = "strict",
    checkpoint: CheckpointOption = None,
) -> int:
    """Draw which pixels of an image support a digit, and which oppose it."""
    from inkling.plots.attribution import draw_heat_map  # noqa: PLC0415  0.14 s for its fonts

    _check_plot(plot)
    predictor = load_predictor(settings, checkpoint, fit)
    predictions = predictor.predict_files([file], fit=fit, **limits_of(settings))
    (image,), (probabilities,), (best,) = predictions.images, predictions.probabilities, predictions.digits
    explanation = predictor.explain(image, best if digit is None else digit)
    for warning in warnings_of(predictions):
        print_warning(f"{file}: {warning}")
    print_text(file, predictions, settings.digit_threshold)
    print(
        f"the strokes move the logit of {explanation.digit} by {explanation.logit - explanation.baseline_logit:+.2f},"
        f" from {explanation.baseline_logit:.2f} to {explanation.logit:.2f}"
    )
    draw_heat_map(image, explanation, probabilities).save(plot, format="PNG")
    return 0


def limits_of(settings: Settings) -> dict[str, int]:
    return settings.model_dump(include=set(LIMITS))


def _check_plot(plot: Path) -> None:
    """Find out before the images are read that the plot cannot be written."""
    folder = plot.absolute().parent
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder: --plot cannot be written there")
    if plot.is_dir():
        raise CommandError(f"{plot} is a folder: --plot needs the name of a file")


def expand_all(arguments: Sequence[Path]) -> tuple[list[Path], int]:
    """Return all files that the arguments mean, and how many arguments failed; these are printed."""
    paths: list[Path] = []
    failures = 0
    for argument in arguments:
        try:
            paths += expand(argument)
        except (CommandError, OSError) as error:
            print_error(describe(error))
            failures += 1
    return paths, failures


def _read(
    predictor: Predictor, paths: Sequence[Path], fit: Fit, settings: Settings
) -> Iterator[tuple[Path, Predictions | None]]:
    """Read one file after another, so that memory does not grow with their number; None: failed, and printed."""
    progress = Progress(len(paths))
    for done, path in enumerate(paths):
        progress.show(done)
        try:
            predictions = predictor.predict_files([path], fit=fit, **limits_of(settings))
        except (InputError, OSError) as error:
            progress.clear()
            print_error(f"{path}: {error.strerror or error}" if isinstance(error, OSError) else describe(error))
            yield path, None
            continue
        for warning in warnings_of(predictions):
            progress.clear()
            print_warning(f"{path}: {warning}")
        yield path, predictions
    progress.clear()


def _draw(plot: Path, plotted: Sequence[Predictions]) -> None:
    from inkling.plots.predictions import plot_predictions  # noqa: PLC0415  0.14 s for its fonts

    images = np.concatenate([predictions.images for predictions in plotted])
    captions = [
        f"Model prediction: {digit} ({predictions.probabilities[0, digit]:.2f})"
        for predictions in plotted
        for digit in predictions.digits
    ]
    plot_predictions(images, captions).save(plot, format="PNG")
