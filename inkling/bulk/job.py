"""The job: units in, their rows appended to the output in order; a killed one continues where its state was saved."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from inkling.bulk.batches import Unit
from inkling.bulk.formats import encoder_of, format_of
from inkling.bulk.output import Output, State
from inkling.bulk.sources import units_of
from inkling.bulk.workers import Finished, Task, in_order
from inkling.errors import BulkError
from inkling.network.digit_probe import DIGIT_THRESHOLD
from inkling.predictor import Fit, Predictor
from inkling.vision.image_files import PictureLimits

Engine = Callable[[Iterable[Unit], Task, int | None], Finished]
"""Does units in so many processes, None: one per CPU core. `in_order` of `inkling.bulk.workers` or `.ray_data`."""
Show = Callable[[int], None]
"""Takes the number of images that are done."""


@dataclass(frozen=True)
class Summary:
    """What a job has done."""

    images: int
    """Rows of the output."""
    errors: int
    """Rows of images that could not be read."""
    resumed: int
    """Rows that an earlier, killed job had written."""
    first_error: str
    """Of those of this process, with its file; empty if there is none."""


@dataclass(frozen=True)
class Job:
    """Predictions of many images in one output file."""

    predictor: Predictor
    names: Iterable[str]
    """Of the input files, local ones or URLs, as `inkling.bulk.inputs.expand` returns them."""
    out: Path
    """Ends in .csv, .jsonl or .parquet."""
    fit: Fit = "strict"
    column: str | None = None
    """Of Parquet files, that holds the images; None: the one that can."""
    overwrite: bool = False
    processes: int | None = None
    """None: one per CPU core that the engine may use."""
    engine: Engine = in_order
    limits: PictureLimits = field(default_factory=PictureLimits)
    digit_threshold: float = DIGIT_THRESHOLD

    def run(self, show: Show = lambda images: None) -> Summary:
        """Write the output, or the rest of it if the same job was killed before.

        Raises:
            BulkError: there is no image, the first file of images cannot be read, the input has changed since the job
                was killed, or the output cannot be written.
            OSError: the output cannot be created.
            ModuleNotFoundError: a package is missing that reads or writes a format.
        """
        output_format = format_of(self.out)
        encoder = encoder_of(output_format)
        units = units_of(self.names, self.fit, self.column)
        first = next(units, None)
        if first is None:
            raise BulkError("the list of files is empty: there is no image to read")
        content = self.predictor.classifier.checkpoint.content
        task = Task(content, self.predictor.version, self.fit, self.limits, self.digit_threshold, output_format)
        with closing(Output(self.out, encoder, self._settings(), overwrite=self.overwrite)) as output:
            resumed = output.state.images
            show(resumed)
            rest = _skip_done(chain([first], units), output.state)
            first_error = ""
            with closing(self.engine(rest, task, self.processes)) as finished:
                for unit, done in finished:
                    output.append(done.content, unit.key, images=done.images, errors=done.errors)
                    first_error = first_error or done.first_error
                    show(output.state.images)
            output.finish()
            return Summary(output.state.images, output.state.errors, resumed, first_error)

    def _settings(self) -> dict[str, str]:
        """Return all that changes the output, besides the input."""
        return {
            "inkling": version("inkling-digits"),
            "checkpoint": self.predictor.classifier.checkpoint.digest[:16],
            "fit": self.fit,
            "column": self.column or "any",
            "limits": f"{self.limits.max_pixels} pixels, {self.limits.max_side}, {self.limits.max_decoder_bytes} bytes",
            "digit-threshold": f"{self.digit_threshold:g}",
        }


def _skip_done(units: Iterable[Unit], state: State) -> Iterator[Unit]:
    """Yield the units that a killed job has left.

    Raises:
        BulkError: those that it has done are not these.
    """
    seen = State(settings={})
    remaining = iter(units)
    while seen.units < state.units:
        unit = next(remaining, None)
        if unit is None:
            break
        seen.add(unit.key)
    if seen.digest != state.digest:
        raise BulkError(
            f"the input has changed since its first {state.images} images were read; --overwrite starts from the "
            "beginning"
        )
    return remaining
