"""The packages that a command loads, which decide how long it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import inkling
from tests.support.processes import without_module

WEB = {"fastapi", "starlette", "uvicorn"}
TRAINING = {"tensorflow", "keras", "training"}


def loaded_by(*arguments: object) -> set[str]:
    """Return the top-level packages that a process has loaded after a command."""
    code = (
        "import json, sys; from app.cli import main; exit_code = main(sys.argv[1:]); "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules}))); sys.exit(exit_code)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_no_large_package(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert "typer" in loaded
    assert not loaded & {*WEB, *TRAINING, "numpy", "PIL", "pydantic", "pydantic_settings", "rich", "sqlalchemy"}


def test_predict_loads_neither_the_web_nor_a_database(files: list[Path]) -> None:
    loaded = loaded_by("predict", files[0])
    assert "numpy" in loaded
    assert not loaded & {*WEB, *TRAINING, "sqlalchemy", "alembic", "rich"}


def test_predict_loads_the_database_where_there_is_a_registry(files: list[Path], two_versions: list[str]) -> None:
    loaded = loaded_by("predict", files[0], *two_versions)
    assert "sqlalchemy" in loaded
    assert not loaded & {*WEB, *TRAINING, "alembic", "rich"}


def test_versions_load_neither_the_web_nor_image_libraries(two_versions: list[str]) -> None:
    loaded = loaded_by("versions", *two_versions)
    assert "sqlalchemy" in loaded
    assert not loaded & {*WEB, *TRAINING, "alembic", "rich", "PIL"}


def test_server_loads_neither_the_model_card_nor_tensorflow() -> None:
    code = "import json, sys, app.main, app.cli.serve; print(json.dumps(list(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(result.stdout))
    assert "inkling.network" in loaded  # so that the next line could fail
    assert not [name for name in loaded if name.startswith("inkling.model_card") or name.split(".")[0] in TRAINING]


def test_a_loaded_version_needs_no_random_numbers_of_numpy() -> None:
    code = (
        "import sys; from inkling.network.classifier import Classifier; "
        "from inkling.network.pretrained import load_pretrained; "
        "Classifier(load_pretrained(), 1).self_check(); sys.exit('numpy.random' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)  # a server would keep 2 MiB more in memory


def test_broken_installation_is_a_traceback(tmp_path: Path) -> None:
    result = inkling("predict", "x.png", **without_module(tmp_path, "safetensors"))
    assert result.returncode == 1
    assert result.stderr.endswith("ModuleNotFoundError: No module named 'safetensors'\n")
