"""The public names of the library, and the modules that importing it loads."""

import subprocess
import sys

import pytest

import inkling


def modules_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after `code`."""
    code = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import inkling", "import inkling.vision, inkling.network", "from inkling import Predictor; Predictor.load()"],
)
def test_vision_and_network_load_no_web_no_database_and_no_tensorflow(code: str) -> None:
    unwanted = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "tensorflow", "keras", "app", "training"}
    assert modules_after(code) & unwanted == set()


def test_registry_loads_no_web_and_no_tensorflow() -> None:
    loaded = modules_after("from inkling import Registry")
    assert "sqlalchemy" in loaded
    assert loaded & {"fastapi", "starlette", "uvicorn", "tensorflow", "keras", "app", "training", "PIL"} == set()


def test_every_public_name_is_there() -> None:
    assert set(inkling.__all__) <= set(dir(inkling))
    for name in inkling.__all__:
        assert getattr(inkling, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        inkling.Nothing  # noqa: B018
