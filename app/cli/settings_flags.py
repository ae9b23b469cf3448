"""The flags of settings, made from the fields of `Settings`: a flag precedes its variable, and that precedes `.env`."""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.cli.failures import UsageError, print_warning
from app.settings import PLATFORM_PORTS, PREFIX, Settings, VertexAi, unknown_variables

PANEL = "Settings (also as INKLING_* variables, and in .env)"


def with_settings(*names: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the flags of these settings, and pass it a `Settings` as its argument `settings`."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def run(**arguments: Any) -> int:
            flags = {name: arguments.pop(name) for name in names}
            return command(settings=read_settings(flags), **arguments)

        own = [item for item in inspect.signature(command).parameters.values() if item.name != "settings"]
        parameters = [*own, *(_parameter(name) for name in names)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # Typer reads it
        return run

    return decorate


def read_settings(flags: Mapping[str, str | bool | None]) -> Settings:
    """Return the settings; flags that are None or empty do not count.

    Raises:
        UsageError: a flag, a variable or a line of `.env` has a value that is not allowed.
    """
    for warning in unknown_variables():
        print_warning(warning)
    given: dict[str, Any] = {name: value for name, value in flags.items() if value not in (None, "")}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise UsageError("; ".join(_describe(item, given) for item in error.errors())) from error


def check_vertex_ai() -> None:
    """Check the variables that Vertex AI sets, so that a wrong one is one line and not the traceback of a worker.

    Raises:
        UsageError: one is no path.
    """
    try:
        VertexAi()
    except ValidationError as error:
        wrong = [f"AIP_{item['loc'][0]}".upper() + f"={item['input']!r}" for item in error.errors()]
        raise UsageError(f"{'; '.join(wrong)}: expected a path, such as /predict") from error


def _parameter(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag,
        help=_help(field),
        metavar=_metavar(field),
        autocompletion=_choices(field),
        rich_help_panel=PANEL,
    )
    kind: Any = bool if field.annotation is bool else str  # the model converts and checks what is not a flag
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(field: FieldInfo) -> str:
    if field.default is None:
        return field.description or ""
    default = "off" if field.default is False else field.default
    return f"{field.description}  [default: {default}]"


def _metavar(field: FieldInfo) -> str | None:
    """Return what the help shows for the value; None for a flag without one."""
    if field.annotation is bool:
        return None
    if choices := _choices(field):
        return "|".join(choices())
    kinds = {field.annotation, *get_args(field.annotation)}
    return "FOLDER" if Path in kinds else "NUMBER" if kinds & {int, float} else "TEXT"


def _choices(field: FieldInfo) -> Callable[[], list[str]] | None:
    return (lambda: list(get_args(field.annotation))) if get_origin(field.annotation) is Literal else None


def _describe(item: ErrorDetails, given: Mapping[str, Any]) -> str:
    """Return which flag or variable is wrong, its value unless it is secret, and what is allowed."""
    name = str(item["loc"][0])
    variable = f"{PREFIX}{name}".upper()
    if name == "port":
        variable = next((other for other in (variable, *PLATFORM_PORTS) if os.environ.get(other)), variable)
    source = f"--{name.replace('_', '-')}" if name in given else variable
    is_secret = SecretStr in get_args(Settings.model_fields[name].annotation)
    value = "" if is_secret else f"={item['input']!r}"
    is_in_file = name not in given and variable not in map(str.upper, os.environ)
    return f"{source}{value}{' in .env' if is_in_file else ''}: {item['msg']}"
