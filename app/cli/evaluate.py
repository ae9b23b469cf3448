"""`inkling evaluate`: accuracy on the test images, and the model card."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands import Command
from app.cli.failures import UsageError
from app.cli.predictors import CheckpointOption, load_predictor
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.datasets.own_data import load_dataset
from inkling.errors import DatasetError
from inkling.mnist import Split
from inkling.network import checkpoint as checkpoints
from inkling.network.checkpoint import Checkpoint
from inkling.network.evaluation import Evaluation
from inkling.network.learned_dataset import LearnedDataset

if TYPE_CHECKING:
    from inkling.model_card.yardstick.scores import Yardstick

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


def _markdown_file(text: str) -> Path:
    if (path := Path(text)).suffix != ".md":  # the folder of the pictures has its name, without the suffix
        raise typer.BadParameter(f"{text} does not end in .md")
    return path


@commands.command("evaluate", cls=Command)
@with_settings("data_dir", "database_url", "mnist_dir", "dataset", "dataset_fit", "dataset_skip")
def measure_accuracy(
    settings: Settings,
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.md",
            parser=_markdown_file,
            help="Measure robustness and calibration too, on a sample, for some minutes, and write the model card.",
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --report: a checkpoint to compare with in the card.")
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --report: the yardstick.json of an earlier card, to show beside it."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="With --report: measure all that there is, several times as long as the sample."),
    ] = False,
    checkpoint: CheckpointOption = None,
) -> int:
    """Measure the accuracy on the test images: MNIST's, which are downloaded if they are missing, or of own data."""
    for name, is_given in (("--compare", compare), ("--before", before), ("--all", everything)):
        if is_given and report is None:
            raise UsageError(f"{name} needs --report")
    compared = None if compare is None else checkpoints.load(compare.read_bytes())
    if report is not None:
        former = _prepare_report(report, before)
    predictor = load_predictor(settings, checkpoint)
    if report is not None and not predictor.learned.shows_digits:
        raise UsageError(f"--report measures how digits are read, and the version learned {predictor.learned}")
    test = _load_test(settings, predictor.learned)
    _print_scores(predictor.classifier.evaluate(test.images, test.labels), predictor.learned)
    if report is not None:
        _write_report(report, predictor.classifier.checkpoint, compared, test, former, is_sample=not everything)
    return 0


def _load_test(settings: Settings, learned: LearnedDataset) -> Split:
    """Load the test images of the settings' dataset.

    Raises:
        DatasetError: it is missing or invalid, or its classes are not those of the version.
    """
    if settings.dataset is None and not learned.shows_digits:
        raise DatasetError(f"the version learned {learned}: measure it on that, with --dataset FOLDER")
    data = load_dataset(settings)
    if data.classes != learned.classes:
        raise DatasetError(f"the version learned {learned}, and {data.name} has the classes {', '.join(data.classes)}")
    return data.test


def _print_scores(evaluation: Evaluation, learned: LearnedDataset) -> None:
    low, high = evaluation.interval_95
    print(f"Test Accuracy: {evaluation.accuracy:f} ({evaluation.correct} of {evaluation.total})")
    print(f"95 % interval: {low:.4f} to {high:.4f}")
    print(f"loss: {evaluation.loss:.4f} nats per image, calibration error: {evaluation.calibration_error:.4f}")
    if single := evaluation.single_view:
        print(
            f"without the views of unsure images: {single.accuracy:f} ({single.correct} of {evaluation.total}), "
            f"loss: {single.loss:.4f}, calibration error: {single.calibration_error:.4f}"
        )
    for score in evaluation.digits:
        name = f"digit {score.digit}" if learned.shows_digits else learned.classes[score.digit]
        print(f"{name}: precision {score.precision:.4f}, recall {score.recall:.4f}, {score.count} images")


def _prepare_report(path: Path, before: Path | None) -> "Yardstick | None":
    """Fail before the measurements, which take minutes, if the card cannot be written; return the scores before."""
    from inkling.model_card.requirements import require_report_packages  # noqa: PLC0415  only --report needs it
    from inkling.model_card.yardstick.scores import read_yardstick  # noqa: PLC0415

    require_report_packages()
    former = None if before is None else read_yardstick(before)
    path.parent.mkdir(parents=True, exist_ok=True)
    return former


def _write_report(
    path: Path,
    measured: Checkpoint,
    compared: Checkpoint | None,
    test: Split,
    before: "Yardstick | None",
    *,
    is_sample: bool,
) -> None:
    from inkling.model_card.card import write_card  # noqa: PLC0415  only --report needs it
    from inkling.model_card.measurements import ALL, SAMPLE, measure  # noqa: PLC0415

    amounts = SAMPLE if is_sample else ALL
    results = measure(measured, compared, test, log=_log, amounts=amounts, before=before)
    files = write_card(path, results)
    size = sum(file.stat().st_size for file in files)
    pictures = sum(file.suffix == ".png" for file in files)
    print(f"{path}: the model card and {pictures} pictures, {size} bytes")


def _log(line: str) -> None:
    print(line, file=sys.stderr)
