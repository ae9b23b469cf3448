"""The command `inkling`."""

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from app.cli.commands import CommandGroup
from app.cli.failures import describe, print_error
from inkling import __version__
from inkling.errors import InklingError

FAILED = 1

app = typer.Typer(
    cls=CommandGroup,
    rich_markup_mode=None,  # plain text: no boxes, no colors, and no 0.1 s for Rich
    context_settings={"help_option_names": ["-h", "--help"], "color": False},
)


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001  Typer passes it by position
    if is_wanted:
        print(f"inkling {__version__}")
        raise typer.Exit


@app.callback()
def read_handwritten_digits(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read handwritten digits: serve, train and inspect the network."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 1 failed, 2 usage, 130 interrupted."""
    _prepare_output()
    exit_code = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        # A full disk, or a pipe without a reader. The interpreter would print it at its exit.
        _discard_output()
        if exit_code == 0 and not isinstance(error, BrokenPipeError):
            print_error(describe(error))
        return exit_code or FAILED
    return exit_code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        exit_code: int | None = get_command(app).main(arguments, prog_name="inkling", standalone_mode=False)
    except SystemExit as ended:  # Typer's, after completion, and when a pipe has no reader
        return int(ended.code or 0)
    except typer.TyperException as error:
        print_error(describe(error))
        return error.exit_code
    except (InklingError, ModuleNotFoundError, OSError) as error:
        print_error(describe(error))
        return FAILED
    return exit_code or 0


def _prepare_output() -> None:
    """Print file names that are not UTF-8 byte for byte, and nothing if the caller closed a stream (`>&-`)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  open as long as the process lives
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _discard_output() -> None:
    """Discard the buffered output, which cannot be written: the interpreter flushes again at its exit.

    See https://docs.python.org/3/library/signal.html#note-on-sigpipe.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
