"""The units of systemd, as its own programs check them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.settings import Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(file.name for file in FOLDER.glob("*.service"))
SOCKET = "inkling.socket"
COMMAND = "/opt/inkling/.venv/bin/inkling"
MAX_EXPOSURE = 20
"""Tenths, of 100. systemd calls less than 30 ok; an ordinary service has 96."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="needs systemd: apt-get install systemd",
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies whose program exists on this machine."""
    for name in UNITS:
        (tmp_path / name).write_text((FOLDER / name).read_text().replace(COMMAND, shutil.which("true") or ""))
    (tmp_path / SOCKET).write_text((FOLDER / SOCKET).read_text())
    return [tmp_path / name for name in UNITS]


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(units: list[Path]) -> None:
    assert UNITS == ["inkling-trainer.service", "inkling.service"]
    result = subprocess.run(
        ["systemd-analyze", "verify", *units, units[0].parent / SOCKET],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@needs_systemd
def test_units_allow_little(units: list[Path]) -> None:
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", "--no-pager", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", UNITS)
def test_units_name_settings_and_commands_that_exist(name: str) -> None:
    text = (FOLDER / name).read_text()
    settings = {f"INKLING_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"\b(INKLING_\w+)=", text)) <= settings
    assert re.findall(rf"^ExecStart={COMMAND} (\w+)$", text, re.MULTILINE) == [
        "worker" if "trainer" in name else "serve"
    ]


def test_socket_unit_listens_where_the_server_would_and_before_it() -> None:
    defaults = Settings()
    listened = re.findall(r"^ListenStream=(.+)$", (FOLDER / SOCKET).read_text(), re.MULTILINE)
    assert listened == [f"{defaults.host}:{defaults.port}"]
    after = re.search(r"^After=(.+)$", (FOLDER / "inkling.service").read_text(), re.MULTILINE)
    assert after
    assert SOCKET in after[1].split()
