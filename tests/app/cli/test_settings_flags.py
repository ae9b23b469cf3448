import re
from pathlib import Path

import pytest

from app.cli.failures import UsageError
from app.cli.settings_flags import read_settings
from tests.support.command_line import InklingHere, check_error, inkling


def test_flags_precede_variables_and_variables_precede_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("INKLING_PORT=1001\nINKLING_MAX_IMAGES=11\nINKLING_MAX_QUEUED_RUNS=12\n")
    monkeypatch.setenv("INKLING_PORT", "1002")
    monkeypatch.setenv("INKLING_MAX_IMAGES", "21")
    settings = read_settings({"port": "1003", "max_images": None, "max_queued_runs": ""})
    assert (settings.port, settings.max_images, settings.max_queued_runs) == (1003, 21, 12)


def test_negative_flag_precedes_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_ACCESS_LOG", "true")
    assert read_settings({"access_log": None}).access_log
    assert not read_settings({"access_log": False}).access_log


def test_settings_come_from_the_env_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"INKLING_DATA_DIR={tmp_path / 'elsewhere'}\n")
    check_error(inkling("versions"), 1, "elsewhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "http"], ["--port='http': Input should be a valid integer"]),
        (["--port", "65536"], ["--port='65536': Input should be less than or equal to 65535"]),
        (["--trainer", "thread"], ["--trainer='thread': Input should be 'process' or 'external'"]),
        (["--max-pixels", "1", "--workers", "0"], ["--max-pixels='1': ", "784", "--workers='0': ", "greater"]),
    ],
)
def test_bad_flag_is_named_with_its_value_and_the_limit(
    inkling_here: InklingHere, arguments: list[str], words: list[str]
) -> None:
    check_error(inkling_here("serve", *arguments), 2, *words)


def test_bad_variable_is_named_with_its_value_and_the_limit() -> None:
    check_error(inkling("versions", INKLING_PORT="http"), 2, "INKLING_PORT='http': Input should be a valid integer")


def test_bad_line_of_the_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("INKLING_PORT=http\n")
    with pytest.raises(UsageError, match=r"^INKLING_PORT='http' in \.env: Input should be a valid integer"):
        read_settings({})


def test_bad_key_is_named_but_not_shown(inkling_here: InklingHere) -> None:
    result = inkling_here("serve", "--api-key", "secret")
    check_error(result, 2, "--api-key: Value should have at least 8 items")
    assert "secret" not in result.stderr


def test_wrong_port_of_a_platform_is_named() -> None:
    check_error(inkling("serve", AIP_HTTP_PORT="http"), 2, "AIP_HTTP_PORT='http'", "a valid integer")


def test_wrong_path_of_vertex_ai_is_named(tmp_path: Path) -> None:
    result = inkling("serve", "--data-dir", tmp_path / "data", AIP_HEALTH_ROUTE="health")
    check_error(result, 2, "AIP_HEALTH_ROUTE='health'", "expected a path")


def test_unknown_variable_is_a_warning_that_names_the_nearest(files: list[Path]) -> None:
    result = inkling("predict", files[0], INKLING_DATADIR="x", INKLING_PORT="8001")
    assert result.returncode == 0
    warning = "warning: INKLING_DATADIR is not a setting of Inkling; did you mean INKLING_DATA_DIR?"
    assert result.stderr.splitlines() == [warning]


def test_help_shows_the_kind_of_value_of_each_flag(inkling_here: InklingHere) -> None:
    text = inkling_here("serve", "--help").stdout
    for line in ("--data-dir FOLDER", "--port NUMBER", "--host TEXT", "--trainer process|external"):
        assert re.search(rf"^  {re.escape(line)} ", text, re.MULTILINE)
    assert re.search(r"^  --access-log / --no-access-log  ", text, re.MULTILINE)
