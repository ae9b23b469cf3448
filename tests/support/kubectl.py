"""kubectl, which has kustomize, and needs no cluster for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml


def run_kubectl(command: str) -> str:
    """Run a shell command with kubectl; return what it prints. Without kubectl, skip the test, but not in CI."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if shutil.which("kubectl", path=path) is None:
        if os.environ.get("CI"):
            pytest.fail("kubectl is not installed: make install")
        pytest.skip("needs kubectl: make install")
    result = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": path, "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def build_manifests(folder: Path) -> list[dict[str, Any]]:
    """Return the manifests of a kustomization."""
    return list(yaml.safe_load_all(run_kubectl(f"kubectl kustomize '{folder}'")))
