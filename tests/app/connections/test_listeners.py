"""The copies of the listening socket."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from app.connections.listeners import COPIES
from tests.support.servers import start_server
from tests.support.services import eventually
from tests.support.sockets import LIVEZ, connect, read_answer

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see another's sockets")


def most_copied(pid: int) -> int:
    """Return how many descriptors of a process are the same socket, at most."""
    folder = Path(f"/proc/{pid}/fd")
    links = []
    for descriptor in folder.iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            links.append(os.readlink(descriptor))
    return max(Counter(link for link in links if link.startswith("socket:")).values())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_takes_several_connections_per_turn(tmp_path: Path, host: str) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--host", host) as server:
        with connect(server) as connection:
            connection.sendall(LIVEZ)
            assert read_answer(connection).status == 200
        eventually(lambda: most_copied(server.process.pid) > COPIES, "copies of the socket")
        many = [connect(server) for _ in range(100)]
        for each in many:
            each.sendall(LIVEZ)
        assert [read_answer(each).status for each in many] == [200] * 100
        for each in many:
            each.close()
