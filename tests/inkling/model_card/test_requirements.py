import os
import subprocess
import sys
from pathlib import Path

import pytest

from inkling.model_card.requirements import PACKAGES, require_report_packages
from tests.support.processes import without_module


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_missing_package_is_named_with_the_command_that_installs_it(package: str, tmp_path: Path) -> None:
    code = "from inkling.model_card.requirements import require_report_packages; require_report_packages()"
    process = run_python(code, **without_module(tmp_path, package))
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == (
        f"inkling.errors.MissingPackageError: the model card needs {package}, which is not installed; "
        "run pip install '.[report]' in the project's folder"
    )


def test_installed_packages_are_enough() -> None:
    require_report_packages()


def test_measurements_load_no_package_of_the_report() -> None:
    code = f"import sys, inkling.model_card.measurements; sys.exit(bool(sys.modules.keys() & {set(PACKAGES)}))"
    assert run_python(code).returncode == 0


def test_charts_load_no_global_state_of_matplotlib() -> None:
    code = "import sys, inkling.model_card.card; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert run_python(code).returncode == 0
