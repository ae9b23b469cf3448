"""docs/exports.md: its lines run, its sizes and differences are those of the network that ships."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from inkling.exports.formats import FORMATS, Format, export
from inkling.exports.network import PortableNetwork
from inkling.network.checkpoint import Checkpoint
from tests.support.exports import DOCUMENT, documented, program
from tests.support.services import open_registry

SECTIONS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
IMAGES = DOCUMENT.partition("## Running them")[2].partition("###")[0]
ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path, shipped: Checkpoint) -> Path:
    """A folder with the documents, and a registry in `var`; `inkling` and `python` are those of this tree."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    with open_registry(Settings(data_dir=tmp_path / "var")) as registry:
        registry.versions.add_first(shipped)
    (tmp_path / "bin").mkdir()
    for name, arguments in (("inkling", "-m app.cli"), ("python", "")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        script.chmod(0o755)
    return tmp_path


def run_blocks(text: str, folder: Path) -> str:
    """Run the blocks of a text, one after the other; return what they printed."""
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    printed = ""
    for language, code in re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL):
        command = ["bash", "-e", "-c", code] if language == "sh" else ["python", "-c", code]
        command[0] = str(folder / "bin/python") if language == "python" else command[0]
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        printed += ended.stdout
    return printed


@pytest.mark.parametrize("title", ["ONNX", "C", "JavaScript", "NumPy", "safetensors"])
def test_lines_of_each_format_read_the_digits(folder: Path, title: str) -> None:
    for needed in {"C": ["cc"], "JavaScript": ["node"]}.get(title, []):
        program(needed)
    run_blocks(IMAGES, folder)
    printed = run_blocks(SECTIONS[title], folder)
    last = printed.splitlines()[-1] if title != "C" else " ".join(line[0] for line in printed.splitlines()[-10:])
    assert last == "0 1 2 3 4 5 6 7 8 9"


@pytest.mark.parametrize("format_name", FORMATS)
def test_documented_sizes_are_those_of_the_network_that_ships(shipped: Checkpoint, format_name: Format) -> None:
    for weights in ("f32", "f16"):
        size = len(export(PortableNetwork(shipped, 1, weights), format_name).content)
        assert documented(format_name, weights).size_kb == pytest.approx(size / 1000, abs=2)
