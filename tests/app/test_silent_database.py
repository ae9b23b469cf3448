"""The service whose network to PostgreSQL goes silent: connections stay open, and nothing comes through them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.postgres import Postgres
from tests.support.servers import Server, start_server
from tests.support.services import eventually, publish, retrained
from tests.support.silent_proxy import SilentProxy, start_silent_proxy

SETTINGS = {
    "INKLING_TRAINER": "external",
    "INKLING_DATABASE_TIMEOUT_S": "1",
    "INKLING_DATABASE_CONNECTIONS": "50",
    "INKLING_MAX_REGISTRY_AGE_S": "1",
}
LISTS = 45
"""More than there are threads for calls of the registry."""


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[SilentProxy]:
    with start_silent_proxy(postgres.port) as proxy:
        yield proxy


def ended_lists(server: Server, count: int) -> list[int]:
    with server.client() as client, ThreadPoolExecutor(count) as pool:
        return [answer.status_code for answer in pool.map(client.get, ["/versions"] * count)]


def test_server_whose_database_goes_silent_answers_says_so_follows_and_stops(
    proxy: SilentProxy, postgres_url: str, tmp_path: Path, shipped: Checkpoint
) -> None:
    url = f"postgres://inkling@127.0.0.1:{proxy.port}/{postgres_url.rpartition('/')[2]}"
    image = b"\x00" * 784
    with (
        start_server(tmp_path, INKLING_DATABASE_URL=url, **SETTINGS) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        ready = client.get("/readyz").json()
        assert (ready["version"], ready["stale"]) == (1, None)
        # when: no answer comes any more, through old connections or new ones
        proxy.silence(is_new_silent=True)
        lists = pool.submit(ended_lists, server, LISTS)
        # then: other calls are answered while these wait
        assert client.get("/metrics?format=prometheus").is_success
        assert client.post("/predict", content=image, headers={"Content-Type": "application/octet-stream"}).is_success
        assert not lists.done()
        stale = eventually(lambda: client.get("/readyz").json()["stale"], "a warning of an old look")
        assert "version 1 is served, which may not be the promoted one any more" in stale
        text = client.get("/metrics?format=prometheus").text
        (age,) = [line for line in text.splitlines() if line.startswith("inkling_registry_age_seconds ")]
        assert float(age.split()[1]) > 1
        # then: no call waits without end
        assert set(lists.result()) == {503}
        answer = client.put("/versions/current", json={"version": 1})
        assert (answer.status_code, answer.json()["title"]) == (503, "The registry cannot be reached")
        # when: new connections are answered again, and another process promotes
        proxy.speak()
        with closing(Registry(postgres_url)) as registry:
            assert publish(registry, retrained(shipped, 2)) == 2
        # then
        eventually(lambda: client.get("/readyz").json()["version"] == 2, "the server follows")
        # when: it is asked to stop while the database is silent
        proxy.silence(is_new_silent=True)
    # then
    assert server.process.returncode == 0
    assert "Traceback" not in "\n".join(server.log)
