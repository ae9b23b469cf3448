from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, start_server


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its default limits."""
    data_dir: Path = tmp_path_factory.mktemp("plain") / "data"
    with start_server(data_dir, "--trainer", "external") as server:
        yield server
