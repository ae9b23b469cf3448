"""Errors on the command line: one line each on standard error, with advice."""

import sys
from typing import Final

import typer

from inkling.errors import (
    ImageSizeError,
    InklingError,
    ServedVersionError,
    SeveralDigitsError,
    UnknownSearchError,
    UnknownVersionError,
)

ADVICE: Final[dict[type[InklingError], str]] = {
    UnknownSearchError: "`inkling searches` lists them",
    UnknownVersionError: "`inkling versions` lists them",
    ServedVersionError: "`inkling promote V` promotes one",
    ImageSizeError: "--fit mnist normalizes it",
    SeveralDigitsError: "`inkling read` reads numbers",
}
"""Advice for the command line, by the class of the error; the library's messages state facts only."""

EXTRAS: Final = {
    "httpx": "train",
    "tqdm": "train",
    "tensorflow": "train",
    "optuna": "search",
    "matplotlib": "report",
    "jinja2": "report",
    "psycopg": "postgres",
    "grpc": "grpc",
    "google": "grpc",
    "pyarrow": "bulk",
    "fsspec": "bulk",
    "ray": "ray",
}
"""Packages that are not always installed, with the extra that installs each."""


class CommandError(InklingError):
    """The command cannot continue; the message says why and what to do."""


class UsageError(typer.TyperException):
    """The arguments are wrong; the message says what is allowed."""

    exit_code = 2


def print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


def print_warning(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def describe(error: Exception) -> str:
    """Return the message of an error in one line, with advice."""
    match error:
        case typer.TyperException():
            return _describe_usage(error)
        case ModuleNotFoundError():
            return _describe_missing(error)
        case OSError(filename=None, strerror=str(reason)):
            return reason
        case OSError(filename=filename, strerror=str(reason)):
            return f"{filename}: {reason}"
    advice = [advice for kind, advice in ADVICE.items() if isinstance(error, kind)]
    return "; ".join([*_lines(str(error)), *advice])


def _describe_usage(error: typer.TyperException) -> str:
    message = "; ".join(_lines(error.format_message()))
    context = getattr(error, "ctx", None)
    if context is None:  # our own
        return message
    message = message.replace("Value error, ", "").rstrip(".")  # how pydantic introduces a ValueError
    separator = " " if message.endswith("?") else "; "
    return f"{message[:1].lower()}{message[1:]}{separator}see `{context.command_path} --help`"


def _describe_missing(error: ModuleNotFoundError) -> str:
    """Return which extra installs what is missing.

    Raises:
        ModuleNotFoundError: the module belongs to no extra, so the installation is broken.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        raise error
    return f"{package} is not installed; run pip install '.[{EXTRAS[package]}]' in the project's folder"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]
