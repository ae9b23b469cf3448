"""The README and the documents beside it: commands and code run, links lead somewhere, settings and files exist."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh.md").read_text()
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
PACKAGES = ("inkling", "app", "training")
"""Each has a table in docs/design.md."""

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")


def _run(command: str, server: Server, folder: Path) -> str:
    """Run a line of the README against a server on a free port, in a folder with the README's pictures."""
    _link_docs(folder)
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


def _link_docs(folder: Path) -> None:
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")


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
def test_every_curl_line_of_the_protocols_works(server: Server, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/protocols.md").read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    answers = [_run(line, server, tmp_path) for line in lines if line and not line.startswith("#")]
    assert len(answers) > 8


@needs_curl
def test_first_example_reads_a_seven(server: Server, tmp_path: Path) -> None:
    (line,) = re.findall(r"^    (curl -F .*)$", README, re.MULTILINE)
    assert '"digit":7' in _run(line, server, tmp_path)


def test_python_example_runs_beside_a_server(server: Server, tmp_path: Path) -> None:
    block = re.search(r"^## From Python\n.*?```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert block
    _link_docs(tmp_path)
    (tmp_path / "var").symlink_to(tmp_path / "data")  # the data directory of the server
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", block[1]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("[7] ")
    assert result.stdout.endswith("\n1 0.9953\n")


def test_chinese_readme_has_the_commands_that_the_tests_above_run() -> None:
    assert _commands(CHINESE, "sh") == _commands(README, "sh")
    assert _commands(CHINESE, "python") == _commands(README, "python")
    indented = r"^    (?:make|curl|pip|docker) .*$"
    assert set(re.findall(indented, CHINESE, re.MULTILINE)) <= set(re.findall(indented, README, re.MULTILINE))


def _commands(document: str, language: str) -> list[str]:
    """Return the lines of the document's only block of a language, without comments."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)
    lines = (re.sub(r"(^|  )# .*", "", line) for line in block.splitlines())
    return [line for line in lines if line]


def test_settings_table_is_the_settings() -> None:
    rows = dict(re.findall(r"^\| `(INKLING_\w+)` \| (.*) \|$", README, re.MULTILINE))
    expected = {
        f"INKLING_{name.upper()}": f"{'none' if field.default is None else f'`{field.default}`'} | {field.description}"
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    modules = [file.as_posix() for name in (*PACKAGES, "benchmarks", "tests") for file in (ROOT / name).rglob("*.py")]
    named = set(re.findall(r"`([\w/]+\.py)`", document.read_text()))
    assert [name for name in sorted(named) if not any(module.endswith(f"/{name}") for module in modules)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_in_the_tables_of_the_design_exists(package: str) -> None:
    missing = []
    for files in _files_column(package):
        folder = ROOT / package
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", files):
            if "/" in name.rstrip("/"):  # the names that follow are in the same folder
                folder = ROOT / package / Path(name).parent
            if not (folder / Path(name).name).exists():
                missing.append(name)
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_in_the_tables_of_the_design(package: str) -> None:
    named = " ".join(_files_column(package))
    folders = {Path(name).name for name in re.findall(r"`([\w/]+)/`", named)}
    modules = [file.relative_to(ROOT / package) for file in (ROOT / package).rglob("*.py") if file.name[0] != "_"]
    assert [
        str(module)
        for module in modules
        if not re.search(rf"[`/]{re.escape(module.name)}`", named) and not folders & set(module.parts[:-1])
    ] == []


def _files_column(package: str) -> list[str]:
    """Return the first cells of a package's table in docs/design.md."""
    design = (ROOT / "docs" / "design.md").read_text()
    table = re.search(rf"^\| `{package}/`.*?\n\|---\|---\|\n((?:\|.*\n)+)", design, re.MULTILINE)
    assert table
    return [row.split("|")[1] for row in table[1].splitlines()]


def test_every_make_target_named_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z]+)", README)) - {"the"}
    assert named <= set(targets)
