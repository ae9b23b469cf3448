"""The errors of the commands `train` and `worker`."""

import typer

from inkling.errors import InklingError


class CommandError(InklingError):
    """The command cannot continue; the message says why and what to do. Exit code 1."""


class UsageError(typer.TyperException):
    """The command was called in a wrong way; the message says what is allowed."""

    exit_code = 2
