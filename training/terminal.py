"""Training in a terminal: by the compiled loop, as the tutorial publishes it, or as a run of the registry."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import typer
from sqlalchemy.exc import SQLAlchemyError

from inkling.atomic_file import write_atomically
from inkling.datasets.own_data import load_dataset
from inkling.errors import RegistryError
from inkling.mnist import Dataset
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import Recipe
from inkling.registry.database_errors import describe_database_error
from inkling.registry.database_url import visible_url
from inkling.registry.records import PromotePolicy
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from training.display import open_display
from training.process import StopSignal, lower_priority
from training.tensorflow_environment import prepare_tensorflow
from training.worker import Worker, work


def train(recipe: Recipe, settings: StoreSettings, out: Path | None) -> None:
    """Train by the compiled loop, print the tutorial's lines and the test accuracy, and write the checkpoint to `out`.

    Raises:
        DivergedError: the loss is not finite, or too large.
        DatasetError, CheckpointError, OSError: MNIST is missing, a parameter is not finite, `out` cannot be written.
    """
    data = _load_data(settings)
    from training import loop  # noqa: PLC0415  TensorFlow takes 5 seconds, so it comes after the checks
    from training.checkpoint_building import build_checkpoint  # noqa: PLC0415

    with open_display(recipe) as display:
        parameters = loop.train(
            recipe, data, lambda progress, _: display.on_progress(progress), on_drawn=display.on_drawn
        )
    checkpoint = build_checkpoint(parameters, recipe, data)
    typer.echo(f"Test Accuracy: {checkpoint.card.evaluation.accuracy:f}")
    _save(checkpoint, out)


def train_eagerly(recipe: Recipe, settings: StoreSettings, out: Path | None) -> None:
    """Run the tutorial's program as published, which prints its own lines, and write the checkpoint to `out`.

    Raises:
        DatasetError, CheckpointError, OSError: as in `train`.
    """
    data = _load_data(settings)
    from training import tutorial  # noqa: PLC0415  TensorFlow, as above
    from training.checkpoint_building import build_checkpoint  # noqa: PLC0415

    parameters = tutorial.train(recipe, data)
    _save(build_checkpoint(parameters, recipe, data), out)


def train_and_publish(recipe: Recipe, settings: StoreSettings, out: Path | None, promote: PromotePolicy) -> int:
    """Train as a run of the registry, and return the exit code.

    Raises:
        RegistryError: the registry cannot be used.
        StopRequested, KeyboardInterrupt: the process was asked to stop; the run is cancelled.
    """
    lower_priority()
    stop = StopSignal()
    stop.listen()
    with _registry_errors(settings), closing(Registry.from_settings(settings)) as registry:
        run, _ = registry.runs.queue(recipe, promote, max_queued=sys.maxsize, dataset=settings.dataset_name)
        worker = Worker(registry, settings, stop)
        lease = worker.claim(f"cli.{os.getpid()}", run.id)
        if lease is None:
            others = "another run is" if settings.runs_at_once == 1 else f"{settings.runs_at_once} other runs are"
            typer.echo(f"run {run.id} is queued; {others} being trained, and a trainer will train this one next")
            return 0
        try:
            with open_display(recipe) as display:
                run = worker.train(lease, display.on_progress, display.on_drawn)
        except BaseException:
            with suppress(RegistryError):  # the run may have ended in the meantime
                registry.runs.cancel(run.id)  # otherwise another trainer would continue the run
            raise
        if run.version is None:
            typer.echo(f"error: run {run.id} {run.state}" + (f": {run.error}" if run.error else ""), err=True)
            return 1
        if evaluation := registry.versions.get(run.version).evaluation:
            typer.echo(f"Test Accuracy: {evaluation.accuracy:f}")
        typer.echo(f"version {run.version}: {run.decision}", err=True)
        if out:
            write_atomically(out, registry.versions.checkpoint(run.version))
    return 0


def work_in_terminal(settings: StoreSettings, idle_exit_s: float | None, number: int = 1) -> None:
    """Train the registry's queued runs.

    Raises:
        RegistryError: the registry cannot be opened.
    """
    with _registry_errors(settings):
        work(settings, idle_exit_s, number=number)


@contextmanager
def _registry_errors(settings: StoreSettings) -> Iterator[None]:
    """Raise a RegistryError for errors of the database."""
    try:
        yield
    except SQLAlchemyError as error:
        url = visible_url(settings.registry_url)
        raise RegistryError(f"the registry at {url} cannot be used: {describe_database_error(error)}") from error


def _load_data(settings: StoreSettings) -> Dataset:
    prepare_tensorflow()
    data = load_dataset(settings)
    for remark in data.remarks:
        typer.echo(f"{data.name}: {remark}", err=True)
    return data


def _save(checkpoint: Checkpoint, out: Path | None) -> None:
    if out is None:
        typer.echo("not saved: --out FILE writes the checkpoint, --publish adds it to the registry", err=True)
        return
    write_atomically(out, checkpoint.content)
    typer.echo(f"{out}: {len(checkpoint.content)} bytes, SHA-256 {checkpoint.digest}", err=True)
