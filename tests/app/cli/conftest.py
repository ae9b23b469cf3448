import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.command_line import InklingHere, Result, run_here
from tests.support.services import publish, retrained


@pytest.fixture
def inkling_here(capsys: pytest.CaptureFixture[str]) -> InklingHere:
    """Run a command in this process."""

    def run(*arguments: object) -> Result:
        return run_here(capsys, *arguments)

    return run


@pytest.fixture
def files(tmp_path: Path, digits: NDArray[np.uint8]) -> list[Path]:
    """Image files of the digits 0 to 6."""
    paths = [tmp_path / f"digit {i}.png" for i in range(7)]
    for path, digit in zip(paths, digits, strict=False):
        Image.fromarray(digit).save(path)
    return paths


@pytest.fixture
def two_versions(settings: Settings, registry: Registry, shipped: Checkpoint) -> list[str]:
    """Return the arguments for a registry with two versions, of which the second is served."""
    registry.versions.add_first(shipped)
    publish(registry, retrained(shipped, 2))
    return ["--data-dir", str(settings.data_dir)]


@pytest.fixture
def execute(settings: Settings) -> Callable[..., None]:
    """Change the database in a way that no method of the registry does."""

    def run(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(settings.data_dir / "inkling.db")) as connection, connection:
            connection.execute(statement, values)

    return run
