import io
import json
import logging
import logging.config
from typing import Any

import pytest

from inkling.logging_config import LOG_FIELDS, JsonFormatter, LineFormatter, escape, logging_config


def logged(message: str, *arguments: object, exc_info: BaseException | None = None) -> list[str]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(name)s: %(message)s"))
    handler.handle(logging.LogRecord("app", logging.INFO, "x.py", 1, message, arguments, _info(exc_info)))  # type: ignore[arg-type]
    return stream.getvalue().removesuffix("\n").split("\n")


def _info(error: BaseException | None) -> object:
    return (type(error), error, error.__traceback__) if error else None


@pytest.mark.parametrize(
    ("forged", "shown"),
    [
        ("\r\n", r"\r\n"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00", r"\x00"),
        ("\x85\u2028\u2029", r"\x85\u2028\u2029"),
        ("\u202e", r"\u202e"),
    ],
)
def test_one_record_is_one_line_whatever_it_holds(forged: str, shown: str) -> None:
    assert logged("GET %s", f"/a{forged}INFO app: all is well") == [f"INFO app: GET /a{shown}INFO app: all is well"]


def test_text_of_all_languages_stays() -> None:
    assert escape("GET /é/中文/\\n") == "GET /é/中文/\\n"


def test_message_of_an_exception_does_not_look_like_a_record() -> None:
    try:
        raise ValueError("bad\r\nINFO app: all is well\x1b[2J")
    except ValueError as error:
        lines = logged("failed", exc_info=error)
    assert lines[0] == "INFO app: failed"
    assert all(line.startswith("    ") for line in lines[1:])
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_stack_is_indented() -> None:
    record = logging.LogRecord("app", logging.INFO, "x.py", 1, "here", (), None, sinfo="Stack:\nline\x1b")
    assert LineFormatter().format(record) == "here\n    Stack:\n    line\\x1b"


def record(message: str, *, exc_info: Any = None, **attributes: Any) -> logging.LogRecord:
    made = logging.LogRecord("app", logging.INFO, "x.py", 1, message, (), exc_info)
    made.__dict__.update(attributes)
    return made


def test_fields_of_the_task_end_a_line_unless_its_message_has_them() -> None:
    token = LOG_FIELDS.set({"request_id": "abc", "trace_id": "0af7\n", "route": "/train"})
    try:
        assert LineFormatter().format(record("request abc failed")) == r"request abc failed trace_id=0af7\n"
        assert LineFormatter().format(record("x", fields={"trace_id": None})) == "x request_id=abc"
    finally:
        LOG_FIELDS.reset(token)


def test_json_record_is_one_line_of_ascii_whatever_it_holds() -> None:
    hostile = "\r\n\x1b[2J\x00\x7f\x85\u2028\u202e\ud800é"
    try:
        raise ValueError(hostile)
    except ValueError as error:
        info = _info(error)
    made = record(f"GET {hostile}", exc_info=info, stack_info=hostile, fields={"client": hostile, "status": 404})
    line = JsonFormatter().format(made)
    assert line.isascii()
    assert line.isprintable()
    entry = json.loads(line)
    assert entry["message"] == f"GET {escape(hostile)}"
    assert (entry["client"], entry["status"]) == (escape(hostile), 404)
    assert all(text.startswith("    ") for text in entry["exception"].split("\n"))
    assert entry["time"].endswith("Z")
    assert list(entry) == ["time", "level", "logger", "message", "client", "status", "exception", "stack"]


@pytest.mark.parametrize(("log_format", "formatter"), [("text", LineFormatter), ("json", JsonFormatter)])
def test_every_handler_of_the_service_uses_the_format(log_format: str, formatter: type) -> None:
    config = logging_config(log_format, "info")
    assert config["formatters"]["line"]["()"] is formatter
    assert {handler["formatter"] for handler in config["handlers"].values()} == {"line"}


@pytest.mark.parametrize(
    ("log_level", "quiet"), [("debug", "WARNING"), ("info", "WARNING"), ("warning", "WARNING"), ("error", "ERROR")]
)
def test_libraries_log_no_more_than_warnings(log_level: str, quiet: str) -> None:
    config = logging_config("text", log_level)
    assert config["root"]["level"] == log_level.upper()
    assert {logger["level"] for logger in config["loggers"].values()} == {quiet}
