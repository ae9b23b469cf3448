"""The log of every process: one record per line, as text or as JSON, on standard error."""

import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

LOG_FIELDS: Final[ContextVar[Mapping[str, object]]] = ContextVar("log_fields", default={})  # noqa: B039  never changed
"""Fields of each record that the current task or thread writes, such as the id of the request that it answers."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line separators of Unicode, and what reverses the direction of text."""
_NAMED_IN_TEXT = ("request_id", "trace_id")
"""Fields that a line of text ends with, unless its message has them."""
_QUIET = ("alembic", "httpx")
"""Libraries that log what nobody asked for below the level WARNING."""


class LineFormatter(logging.Formatter):
    """Escapes what could forge or hide a line: whatever a client sends, a record begins one line.

    The lines of a traceback are indented, so that the message of an exception cannot look like a record either.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        fields = _fields(record)
        named = [f"{name}={fields[name]}" for name in _NAMED_IN_TEXT if name in fields]
        missing = [text for text in named if text.partition("=")[2] not in record.message]
        record.message = escape(" ".join((record.message, *missing)))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {escape(line)}" for line in super().formatException(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {escape(line)}" for line in stack_info.split("\n"))


class JsonFormatter(LineFormatter):
    """Writes a record as one JSON object, in ASCII.

    Control characters of the message and the fields are escaped before they are encoded, too: a program that prints a
    decoded message, such as `jq -r .message`, prints one line.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {name: _escaped(value) for name, value in _fields(record).items()}
        entry = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": escape(record.getMessage()),
            **fields,
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        return json.dumps(entry)


def escape(text: str) -> str:
    r"""Return text with its control characters as Python writes them: `\n`, `\x1b`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def logging_config(log_format: str, log_level: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes; uvicorn applies it in each worker.

    Args:
        log_format: `text` or `json`.
        log_level: of the least important records that are written, such as `info`.
    """
    formatter = {
        "text": {"()": LineFormatter, "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": JsonFormatter},
    }
    level = log_level.upper()
    quiet = max(level, "WARNING", key=logging.getLevelNamesMapping().__getitem__)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter[log_format]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {name: {"level": quiet} for name in _QUIET},
    }


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of the task that writes a record, and those that were given as its `extra={"fields": ...}`."""
    fields = {**LOG_FIELDS.get(), **getattr(record, "fields", {})}
    return {name: value for name, value in fields.items() if value is not None}


def _escaped(value: object) -> object:
    return escape(value) if isinstance(value, str) else value
