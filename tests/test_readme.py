"""The README tells the truth: its commands are run, and its table of settings is compared."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.servers import Server

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")


def _run(command: str, server: Server, folder: Path) -> str:
    """Run a line of the README in a copy of what it needs, against a server on another port."""
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")
    command = command.replace("localhost:8000", server.url.removeprefix("http://"))
    answer = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("curl ", "curl -sS --fail-with-body ")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


@needs_curl
def test_every_curl_line_works(server: Server, tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 15

    for line in lines:
        _run(line, server, tmp_path)

    assert (tmp_path / "inkling-1.safetensors").stat().st_size > 500_000
    assert (tmp_path / "why-3.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "probabilities.npy").stat().st_size == 128 + 40


@needs_curl
def test_first_example_reads_a_seven(server: Server, tmp_path: Path) -> None:
    (line,) = re.findall(r"^    (curl -F .*)$", README, re.MULTILINE)
    assert '"digit":7' in _run(line, server, tmp_path)


def test_settings_table_is_the_settings() -> None:
    rows = dict(re.findall(r"^\| `(INKLING_\w+)` \| (.*) \|$", README, re.MULTILINE))
    expected = {
        f"INKLING_{name.upper()}": f"{'none' if field.default is None else f'`{field.default}`'} | {field.description}"
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_named_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z]+)", README)) - {"the"}
    assert named <= set(targets)
