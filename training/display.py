"""The progress of a training in a terminal or a log: bars, or the tutorial's printed lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from inkling.network.recipe import Recipe

if TYPE_CHECKING:
    from tqdm import tqdm

    from inkling.registry.records import Progress


PARTS = 5
"""Lines about the drawing of synthetic digits, after the first one."""


class Lines:
    """Prints the tutorial's lines on standard output, and everything else on standard error."""

    def on_drawn(self, drawn: int, total: int) -> None:
        if drawn % max(1, total // PARTS) == 0 or drawn == total:
            typer.echo(f"drawing synthetic digits: {drawn} of {total}", err=True)

    def on_progress(self, progress: "Progress") -> None:
        typer.echo(f"step: {progress.step}, loss: {progress.loss:f}, accuracy: {progress.accuracy:f}")


class Bars:
    """Shows a bar while synthetic digits are drawn, then a bar of the training steps. Owns both."""

    def __init__(self, recipe: Recipe) -> None:
        self._training_steps = recipe.training_steps
        self._drawing: tqdm[NoReturn] | None = None
        self._steps: tqdm[NoReturn] | None = None
        if not recipe.synthetic:
            self._open_steps()

    def on_drawn(self, drawn: int, total: int) -> None:
        if self._drawing is None:
            self._drawing = _open(total, "digit", "drawing synthetic digits")
        self._drawing.update(drawn - self._drawing.n)
        if drawn == total:
            self._drawing.close()
            self._open_steps()

    def on_progress(self, progress: "Progress") -> None:
        bar = self._steps or self._open_steps()
        bar.set_postfix(loss=f"{progress.loss:.1f}", accuracy=f"{progress.accuracy:.3f}", refresh=False)
        bar.update(progress.step - bar.n)

    def finish(self) -> None:
        """Fill the bar: the steps after the last display step are trained, too."""
        bar = self._steps or self._open_steps()
        bar.update(self._training_steps - bar.n)

    def close(self) -> None:
        for bar in (self._drawing, self._steps):
            if bar is not None:
                bar.close()

    def _open_steps(self) -> "tqdm[NoReturn]":
        self._steps = _open(self._training_steps, "step", None)
        return self._steps


def _open(total: int, unit: str, description: str | None) -> "tqdm[NoReturn]":
    from tqdm import tqdm  # noqa: PLC0415  belongs to the extra `train`

    bar: tqdm[NoReturn] = tqdm(total=total, unit=unit, desc=description, file=sys.stdout)
    return bar


@contextmanager
def open_display(recipe: Recipe) -> Iterator[Lines | Bars]:
    """Show bars if standard output is a terminal, lines otherwise."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    bars = Bars(recipe)
    try:
        yield bars
        bars.finish()
    finally:
        bars.close()
