import io
import logging
import logging.config

import pytest

from inkling.logging_config import LOGGING, LineFormatter, escape


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


def test_every_handler_of_the_service_uses_it() -> None:
    assert LOGGING["formatters"]["line"]["()"] == f"{LineFormatter.__module__}.{LineFormatter.__name__}"
    assert {handler["formatter"] for handler in LOGGING["handlers"].values()} == {"line"}
