"""`python -m training`: train the network here and now, or work as the trainer of a registry."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from inkling import mnist
from inkling.atomic_file import write_atomically
from inkling.errors import CheckpointError, DatasetError, RegistryError
from inkling.network.recipe import OVERRIDABLE, RECIPES, Recipe
from inkling.registry.records import Progress
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from training.worker import LEASE_S, StopRequested, lower_priority, train_run, work


class CommandError(Exception):
    """The command cannot go on; the message says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 failed, 2 usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] not in (["train"], ["worker"], ["-h"], ["--help"]):
        words.insert(0, "train")
    parser = _parser()
    arguments = parser.parse_args(words)
    paths = {name: value for name in ("data_dir", "mnist_dir") if (value := getattr(arguments, name))}
    settings = StoreSettings(**paths)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        if arguments.command == "worker":
            work(settings, arguments.idle_exit)
            return 0
        return _train(arguments, _recipe(parser, arguments), settings)
    except (StopRequested, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"error: {error}. Training needs TensorFlow: pip install 'inkling[train]'", file=sys.stderr)
    except (CommandError, DatasetError, CheckpointError, RegistryError, OSError, SQLAlchemyError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inkling", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    train = commands.add_parser(
        "train",
        help="train the network",
        description="Train the network and print its test accuracy.",
        epilog=_describe_recipe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--recipe", choices=RECIPES, default="tutorial", help="preset (default: %(default)s)")
    train.add_argument(
        "--set",
        dest="overrides",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change a field of it",
    )
    train.add_argument("--out", type=Path, metavar="FILE", help="write the checkpoint (safetensors) here")
    train.add_argument(
        "--publish",
        action="store_true",
        help="record the run and its version in the registry, for the server",
    )
    train.add_argument(
        "--promote",
        choices=("if_better", "always", "never"),
        default="if_better",
        help="with --publish: whether the server serves it (default: %(default)s)",
    )

    worker = commands.add_parser(
        "worker",
        help="train the registry's queued runs",
        description="Train the registry's queued runs as they come.",
    )
    worker.add_argument("--idle-exit", type=float, metavar="SECONDS", help="exit when idle for so long")
    for command in (train, worker):
        command.add_argument("--data-dir", type=Path, help=StoreSettings.model_fields["data_dir"].description)
        command.add_argument("--mnist-dir", type=Path, help=StoreSettings.model_fields["mnist_dir"].description)
    return parser


def _describe_recipe() -> str:
    presets = {name: recipe.model_dump() for name, recipe in RECIPES.items()}
    lines = [
        f"  {field:<16} {Recipe.model_fields[field].description} "
        f"({', '.join(f'{name}: {values[field]}' for name, values in presets.items())})"
        for field in OVERRIDABLE
    ]
    return "\n".join(["fields of a recipe, for --set:", *lines])


def _recipe(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Recipe:
    overrides: dict[str, Any] = {}
    for word in arguments.overrides:
        name, equals, value = word.partition("=")
        if not equals or name not in OVERRIDABLE:
            parser.error(f"--set {word}: expected NAME=VALUE with a name of {', '.join(OVERRIDABLE)}")
        overrides[name] = value
    try:
        return RECIPES[arguments.recipe].with_overrides(overrides)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'recipe'}={item['input']!r}: {item['msg']}"
            if item["loc"]
            else item["msg"]
            for item in error.errors()
        ]
        parser.error("--set " + "; ".join(problems))


def _train(arguments: argparse.Namespace, recipe: Recipe, settings: StoreSettings) -> int:
    if arguments.out and arguments.out.is_dir():
        raise CommandError(f"{arguments.out} is a folder: --out needs the name of a file")
    if arguments.out and not arguments.out.absolute().parent.is_dir():
        raise CommandError(f"{arguments.out.absolute().parent} is not a folder: --out cannot be written there")
    if arguments.publish:
        return _train_and_publish(arguments, recipe, settings)
    data = mnist.load(settings.mnist_dir, settings.data_dir)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from training import loop  # noqa: PLC0415  after the arguments are checked: TensorFlow takes 5 seconds

    with _shown(recipe) as show:
        try:
            parameters = loop.train(recipe, data, lambda progress, _: show(progress))
        except loop.DivergedError as error:
            raise CommandError(str(error)) from error
    checkpoint = loop.checkpoint_of(parameters, recipe, data)
    print(f"Test Accuracy: {checkpoint.card.evaluation.accuracy:f}")
    if arguments.out:
        write_atomically(arguments.out, checkpoint.content)
        print(f"{arguments.out}: {len(checkpoint.content)} bytes, SHA-256 {checkpoint.digest}", file=sys.stderr)
    else:
        print("not kept: --out FILE writes the checkpoint, --publish serves it", file=sys.stderr)
    return 0


def _train_and_publish(arguments: argparse.Namespace, recipe: Recipe, settings: StoreSettings) -> int:
    lower_priority()
    registry = Registry(settings.registry_url)
    run, _ = registry.runs.queue(recipe, arguments.promote, max_queued=sys.maxsize)
    claim = registry.runs.claim(LEASE_S, owner=f"cli.{os.getpid()}", run_id=run.id)
    if claim is None:
        print(f"run {run.id} is queued: another run is being trained, and its trainer will take it next")
        return 0
    try:
        with _shown(recipe) as show:
            run = train_run(registry, claim, settings, show)
    except BaseException:
        with suppress(RegistryError):  # it may have ended this very moment
            registry.runs.cancel(run.id)  # asked to stop here means stop, not later elsewhere
        raise
    if run.version is None:
        print(f"error: run {run.id} {run.state}" + (f": {run.error}" if run.error else ""), file=sys.stderr)
        return 1
    content = registry.versions.checkpoint(run.version)
    print(f"Test Accuracy: {registry.versions.get(run.version).evaluation.accuracy:f}")
    print(f"version {run.version}: {run.decision}", file=sys.stderr)
    if arguments.out:
        write_atomically(arguments.out, content)
    return 0


@contextmanager
def _shown(recipe: Recipe) -> Iterator[Callable[[Progress], None]]:
    """Show progress: a bar on a terminal, the tutorial's printed lines otherwise."""
    if not sys.stdout.isatty():
        yield lambda p: print(f"step: {p.step}, loss: {p.loss:f}, accuracy: {p.accuracy:f}", flush=True)
        return
    from tqdm import tqdm  # noqa: PLC0415  of the extra `train`

    with tqdm(total=recipe.training_steps, unit="step", file=sys.stdout) as bar:

        def advance(progress: Progress) -> None:
            bar.set_postfix(loss=f"{progress.loss:.1f}", accuracy=f"{progress.accuracy:.3f}", refresh=False)
            bar.update(progress.step - bar.n)

        yield advance
        bar.update(recipe.training_steps - bar.n)


if __name__ == "__main__":
    sys.exit(main())
