"""`inkling train` and `inkling worker`: this process becomes `python -m training`, which loads TensorFlow."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


class ForwardedCommand(TyperCommand):
    """A command that leaves all its arguments, `--help` too, to another program."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = args
        return args


@commands.command(cls=ForwardedCommand)
def train(context: typer.Context) -> None:
    _become("train", context.args)


@commands.command(cls=ForwardedCommand)
def worker(context: typer.Context) -> None:
    _become("worker", context.args)


def _become(command: str, arguments: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", "training", command, *arguments])
