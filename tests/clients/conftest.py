import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-clients"
TO_INSTALL = "needs the linters and client generators: make clients (with Node.js 20.19 or newer, and npm)"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
"""Environment in which the programs ask nothing of other hosts."""


@dataclass(frozen=True)
class Workshop:
    """A folder with the OpenAPI document, in which the linters and generators work."""

    folder: Path

    def run(self, *command: str | Path, **environment: str) -> str:
        """Run a program, with those of `make clients` before all others, and return what it prints.

        Raises:
            AssertionError: it failed; with what it said.
        """
        programs = [str(TOOLS / "bin"), str(TOOLS / "node_modules/.bin"), os.environ["PATH"]]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PATH": os.pathsep.join(programs), **QUIET, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A workshop with all files of this folder. Skips if the programs are missing, except in CI: there it fails."""
    if not (TOOLS / ".installed").exists() or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail(TO_INSTALL)
        pytest.skip(TO_INSTALL)
    folder = tmp_path / "workshop"
    shutil.copytree(Path(__file__).parent, folder)
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    (folder / "openapi.json").write_text(json.dumps(create_app(Settings()).openapi()))
    return Workshop(folder)
