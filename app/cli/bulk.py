"""`inkling predict --out FILE`: the predictions of any number of images in one file."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

import typer

from app.cli.failures import UsageError
from app.cli.parsers import integer
from app.settings import Settings
from inkling.predictor import Fit, Predictor

if TYPE_CHECKING:
    from inkling.bulk.job import Engine

MAX_PROCESSES = 1024
LIST = "-"
"""Stands for a list of files on standard input."""
PANEL = "Many images (with the extra `bulk`)"

OutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=PANEL,
        help="Write all predictions into this .csv, .jsonl or .parquet file, in the order of the images. Reads IDX, "
        ".npy, Parquet and tar files, too, URLs of object stores, and with - a list of files on standard input. The "
        "same command continues a job that was killed.",
    ),
]
ColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PANEL,
        help="With --out: the column of Parquet files that holds the images.  [default: the one that can]",
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", rich_help_panel=PANEL, help="With --out: replace the file, or a job that was killed."),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        parser=integer(1, MAX_PROCESSES),
        rich_help_panel=PANEL,
        help="With --out: processes that read and predict.  [default: one per CPU core]",
    ),
]
EngineName = Literal["local", "ray"]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        rich_help_panel=PANEL,
        help="With --out: read in processes of this machine, or on the Ray cluster of RAY_ADDRESS (extra `ray`), whose "
        "machines all find the input under the same names.",
    ),
]


class BulkOptions(NamedTuple):
    """The options that need --out."""

    column: str | None
    overwrite: bool
    processes: int | None
    engine: EngineName


def check_options(
    out: Path | None, options: BulkOptions, inputs: Sequence[str], other_outputs: dict[str, bool]
) -> None:
    """Raise UsageError if options do not go together.

    Args:
        out: the output file of many images.
        options: that need it.
        inputs: what is read.
        other_outputs: the options that exclude it, and whether each is given.
    """
    if out is not None:
        for name, is_given in other_outputs.items():
            if is_given:
                raise UsageError(f"--out and {name} exclude each other")
        return
    given = {"--column": options.column, "--overwrite": options.overwrite, "--processes": options.processes}
    given["--engine"] = options.engine != "local"
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} needs --out FILE")
    if LIST in inputs:
        raise UsageError("- reads a list of files from standard input, which needs --out FILE")


def predict_many(
    predictor: Predictor, inputs: Sequence[str], out: Path, options: BulkOptions, *, fit: Fit, settings: Settings
) -> int:
    """Write the predictions into `out`, and report what was done on standard error; return the exit code.

    Raises:
        BulkError: as `Job.run`; or an input means no file.
    """
    from inkling.bulk.job import Job  # noqa: PLC0415  0.1 s that a few images save
    from inkling.vision.image_files import PictureLimits  # noqa: PLC0415

    job = Job(
        predictor,
        _names(inputs),
        out,
        fit=fit,
        column=options.column,
        overwrite=options.overwrite,
        processes=options.processes,
        limits=PictureLimits(settings.max_pixels, settings.max_side, settings.max_decoder_bytes),
        digit_threshold=settings.digit_threshold,
        engine=_engine(options.engine),
    )
    started = time.perf_counter()
    with _progress() as show:
        summary = job.run(show)
    seconds = time.perf_counter() - started
    resumed = f", {summary.resumed:,} of them before" if summary.resumed else ""
    rate = (summary.images - summary.resumed) / seconds
    print(f"{out}: {summary.images:,} images{resumed}; {seconds:.1f} s, {rate:,.0f} images/s", file=sys.stderr)
    if summary.errors:
        first = f"; the first: {summary.first_error}" if summary.first_error else ""
        print(f"error: {summary.errors:,} could not be read, see the column error{first}", file=sys.stderr)
    return 1 if summary.errors else 0


def _names(inputs: Sequence[str]) -> Iterator[str]:
    """Return the names of all files; all but the list on standard input are looked up at once."""
    from inkling.bulk.inputs import expand, read_names  # noqa: PLC0415

    expanded = [
        read_names(cast(BufferedReader, sys.stdin.buffer)) if name == LIST else expand(_plain(name)) for name in inputs
    ]
    return (name for names in expanded for name in names)


def _engine(name: EngineName) -> "Engine":
    if name == "ray":
        from inkling.bulk.ray_data import in_order as on_ray  # noqa: PLC0415  of an extra

        return on_ray
    from inkling.bulk.workers import in_order  # noqa: PLC0415  as above

    return in_order


def _plain(name: str) -> str:
    """Return a path as the other commands print it: without a `./`, or a slash at its end."""
    return name if "://" in name else str(Path(name))


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Yield what shows the number of images that are done: a bar on a terminal, if tqdm is installed."""
    try:
        from tqdm import tqdm  # noqa: PLC0415
    except ModuleNotFoundError:
        yield lambda images: None
        return
    with tqdm(unit=" images", unit_scale=True, disable=None, leave=False) as bar:

        def show(images: int) -> None:
            bar.update(images - bar.n)

        yield show
