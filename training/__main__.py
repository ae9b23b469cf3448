"""`python -m training`: the commands `inkling train` and `inkling worker`."""

import faulthandler
import logging.config
import math
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.main import get_command

from inkling import __version__
from inkling.data_dir import check_data_dir
from inkling.errors import InklingError
from inkling.exports.formats import TensorFlowFormat
from inkling.exports.network import PortableNetwork, Weights
from inkling.logging_config import logging_config
from inkling.network.recipe import RecipeName
from inkling.registry.records import PromotePolicy
from inkling.settings import DatasetFit, StoreSettings
from inkling.tracing import TRACING
from training.command_errors import CommandError, UsageError
from training.process import StopRequested, end_process
from training.recipe_options import RecipeCommand, check_eager, read_recipe
from training.tensorflow_environment import prepare_tensorflow

# TensorFlow and the registry are imported inside the commands: --help and usage errors need not wait for them.

COMMANDS = ("train", "worker", "export")

app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, `train` if none is named; return the exit code: 0, 1 failed, 2 usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in (*COMMANDS, "-h", "--help"):
        words.insert(0, "train")
    command = get_command(app)
    try:
        with command.make_context("inkling", words) as context:
            exit_code: int | None = command.invoke(context)
        return exit_code or 0
    except typer.Exit as end:  # after --help
        return end.exit_code
    except (StopRequested, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    except typer.TyperException as error:
        print(f"error: {_describe(error)}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(
            f"error: {error}. To train or export, run pip install '.[train]' in the project's folder", file=sys.stderr
        )
    except (InklingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    finally:
        TRACING.stop()
    return 1


@app.callback()
def train_networks() -> None:
    """Train the network that reads digits."""


def _setting(name: str, metavar: str | None = None, default: str = "", flags: tuple[str, ...] = ()) -> Any:
    """Return the option of a setting, which precedes its INKLING_* variable."""
    text = f"{StoreSettings.model_fields[name].description}{default and f'  [default: {default}]'}"
    return typer.Option(*flags, metavar=metavar, help=text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise typer.BadParameter(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


DataDir = Annotated[Path | None, _setting("data_dir", "FOLDER", "var")]
DatabaseUrl = Annotated[str | None, _setting("database_url", "URL")]
MnistDir = Annotated[Path | None, _setting("mnist_dir", "FOLDER")]
Data = Annotated[Path | None, _setting("dataset", "FOLDER", flags=("--data", "--dataset"))]
DataFit = Annotated[DatasetFit | None, _setting("dataset_fit", default="auto", flags=("--fit", "--dataset-fit"))]
Skip = Annotated[bool, _setting("dataset_skip", flags=("--skip", "--dataset-skip"))]


@app.command(cls=RecipeCommand)
def train(
    *,
    recipe: Annotated[RecipeName, typer.Option(help="Recipe to start from.")] = "tutorial",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a field of the recipe, listed below. Repeatable."),
    ] = None,
    eager: Annotated[
        bool,
        typer.Option(
            "--eager",
            help="Run the tutorial as published, line by line and not compiled: several times slower. Not with "
            "--publish, nor with fields that the tutorial lacks. With --set validation_size=0 it trains on all "
            "60,000 images, as published.",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the checkpoint (safetensors) here.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Record the run and its version in the registry, for the server.")
    ] = False,
    promote: Annotated[
        PromotePolicy | None,
        typer.Option(help="With --publish: whether the server uses the version.  [default: if_better]"),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    mnist_dir: MnistDir = None,
    data: Data = None,
    fit: DataFit = None,
    skip: Skip = False,
) -> int:
    """Train a network in this terminal, and print its test accuracy."""
    chosen = read_recipe(recipe, overrides or [])
    settings = _read_settings(
        data_dir=data_dir,
        database_url=database_url,
        mnist_dir=mnist_dir,
        dataset=data,
        dataset_fit=fit,
        dataset_skip=skip,
    )
    if promote and not publish:
        raise UsageError(f"--promote {promote} needs --publish: only a version in the registry can be promoted")
    if chosen.needs_registry and not publish:
        raise UsageError("feedback and base need --publish: corrections and versions are in the registry")
    if eager:
        check_eager(chosen, is_published=publish)
    _check_out(out)
    logging.config.dictConfig(logging_config(settings.log_format, settings.log_level))
    TRACING.start("inkling-trainer", __version__)
    from training import terminal  # noqa: PLC0415  the registry

    if publish:
        return terminal.train_and_publish(chosen, settings, out, promote or "if_better")
    (terminal.train_eagerly if eager else terminal.train)(chosen, settings, out)
    return 0


@app.command()
def worker(
    *,
    idle_exit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", parser=_seconds, help="Exit when no run was queued for this long."),
    ] = None,
    number: Annotated[int, typer.Option(hidden=True)] = 1,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    mnist_dir: MnistDir = None,
) -> None:
    """Train the queued runs of the registry, one after the other."""
    settings = _read_settings(data_dir=data_dir, database_url=database_url, mnist_dir=mnist_dir)
    logging.config.dictConfig(logging_config(settings.log_format, settings.log_level))
    check_data_dir(settings.data_dir)
    TRACING.start("inkling-trainer", __version__)
    from training import terminal  # noqa: PLC0415  the registry

    terminal.work_in_terminal(settings, idle_exit, number)


@app.command(hidden=True)
def export(
    version: int,
    *,
    format_name: Annotated[TensorFlowFormat, typer.Option("--format")],
    weights: Annotated[Weights, typer.Option()] = "f32",
) -> None:
    """Read a version's checkpoint file from standard input, write its export: `inkling export` runs this."""
    network = PortableNetwork.load(sys.stdin.buffer.read(), version, weights)
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries may print
    prepare_tensorflow()
    content: bytes = import_module(f"training.exports.{format_name}").write(network)
    with open(output, "wb") as file:
        file.write(content)


def _read_settings(**flags: Path | str | bool | None) -> StoreSettings:
    given: dict[str, Any] = {name: value for name, value in flags.items() if value}
    try:
        return StoreSettings(**given)
    except ValidationError as error:
        problems = [(f"INKLING_{item['loc'][0]}".upper(), item["input"], item["msg"]) for item in error.errors()]
        raise UsageError("; ".join(f"{name}={value!r}: {message}" for name, value, message in problems)) from error


def _check_out(out: Path | None) -> None:
    """Check before the training that its checkpoint can be written.

    Raises:
        CommandError: the path is a folder, or its folder does not exist.
    """
    if out and out.is_dir():
        raise CommandError(f"{out} is a folder: --out needs the name of a file")
    if out and not out.absolute().parent.is_dir():
        raise CommandError(f"{out.absolute().parent} is not a folder: --out cannot be written there")


def _describe(error: typer.TyperException) -> str:
    context: Any = getattr(error, "ctx", None)
    if context is None:  # one of ours, which say what to do
        return error.format_message()
    message = error.format_message().replace("Value error, ", "").rstrip(".")  # how pydantic introduces a ValueError
    return f"{message[:1].lower()}{message[1:]}; see `{context.command_path} --help`"


if __name__ == "__main__":
    faulthandler.enable()
    end_process(main())
