"""The log format of every process: one line per record, on standard error."""

import logging
import re
from typing import Any, Final

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line separators of Unicode, and what reverses the direction of text."""


class LineFormatter(logging.Formatter):
    """Escapes what could forge or hide a line: whatever a client sends, a record begins one line.

    The lines of a traceback are indented, so that the message of an exception cannot look like a record either.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        record.message = escape(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {escape(line)}" for line in super().formatException(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  logging's name
        return "\n".join(f"    {escape(line)}" for line in stack_info.split("\n"))


def escape(text: str) -> str:
    r"""Return text with its control characters as Python writes them: `\n`, `\x1b`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "inkling.logging_config.LineFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"alembic": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
}
"""For `logging.config.dictConfig`; uvicorn applies it in each worker."""
