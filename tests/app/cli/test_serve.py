import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.command_line import Result, inkling

RECORD = """
import json, os, sys, uvicorn
from app.cli import main

def record(application, **options):
    names = ("workers", "host", "port", "access_log", "factory")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("INKLING_", "OPENBLAS_"))}
    print(json.dumps({"application": str(application), **{name: options[name] for name in names}, **environment}))
    sys.exit(int(os.environ.get("ENDS_WITH", 0)))

uvicorn.Config = record
sys.exit(main(sys.argv[1:]))
"""


def serve(data_dir: Path, *arguments: str, **environment: str) -> Result:
    """Run `inkling serve` with a server that prints its options and its environment, and ends."""
    return subprocess.run(
        [sys.executable, "-c", RECORD, "serve", "--data-dir", str(data_dir), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_serve_on_a_port_that_is_taken_exits_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = inkling("serve", "--port", port, "--data-dir", tmp_path / "data", "--trainer", "external")
    assert result.returncode == 1
    assert "address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_settings_reach_the_workers_in_their_environment(tmp_path: Path) -> None:
    flags = ("--workers", "2", "--port", "8123", "--access-log", "--api-key", "a-secret-key")
    result = serve(tmp_path / "data", *flags, INKLING_MAX_IMAGES="7")
    assert (result.returncode, result.stderr) == (0, "")
    given = json.loads(result.stdout)
    assert ("WorkerApp" in given["application"], given["factory"]) == (True, True)
    assert (given["workers"], given["host"], given["port"], given["access_log"]) == (2, "127.0.0.1", 8123, False)
    settings = {name: given.get(f"INKLING_{name.upper()}") for name in Settings.model_fields}
    expected = Settings(
        data_dir=tmp_path / "data",
        workers=2,
        port=8123,
        access_log=True,
        max_images=7,
    ).model_dump(exclude={"api_key"})
    assert settings.pop("api_key") == "a-secret-key"
    assert settings == {name: None if value is None else str(value) for name, value in expected.items()}


@pytest.mark.parametrize(("code", "exit_code"), [("0", 0), ("1", 1), ("3", 1)])
def test_server_that_does_not_start_is_exit_code_1(tmp_path: Path, code: str, exit_code: int) -> None:
    assert serve(tmp_path / "data", ENDS_WITH=code).returncode == exit_code


def test_generated_key_is_logged_and_a_chosen_one_is_not(tmp_path: Path) -> None:
    generated = serve(tmp_path / "data", "--host", "0.0.0.0", "--port", "8123")
    key = (tmp_path / "data" / "api_key").read_text()
    command = f"curl -X POST -H 'Authorization: Bearer {key}' http://localhost:8123/train"
    assert re.fullmatch(rf"\S+ \S+ WARNING app: .* {re.escape(command)}\n", generated.stderr)
    chosen = serve(tmp_path / "data", "--host", "0.0.0.0", "--api-key", "a-secret-key")
    assert (chosen.returncode, chosen.stderr) == (0, "")
