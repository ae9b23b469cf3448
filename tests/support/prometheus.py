"""A real Prometheus for tests, which scrapes a server and evaluates rules."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.services import eventually


@dataclass(frozen=True)
class Prometheus:
    client: httpx.Client

    def query(self, expression: str) -> list[Any]:
        """Return the series that an expression has now."""
        return list(self._get("query", query=expression)["result"])

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        response = self.client.get(f"/api/v1/{path}", params=params)
        assert response.is_success, f"{params}: {response.text}"
        return dict(response.json()["data"])


@contextmanager
def start_prometheus(folder: Path, config_file: Path) -> Iterator[Prometheus]:
    """Start Prometheus with a configuration; keep its data in `folder`. Without it, skip the test, but not in CI."""
    program = shutil.which("prometheus")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("Prometheus is not installed: apt-get install prometheus")
        pytest.skip("needs Prometheus: apt-get install prometheus")
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config_file}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
            eventually(lambda: _is_ready(client), "Prometheus is ready")
            yield Prometheus(client)
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False
