"""Database connections that a network drops in silence: they stay open, and nothing comes through them."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

from benchmarks.outages import service
from benchmarks.processes import Process, running_inkling
from inkling.network import checkpoint
from inkling.network.pretrained import load_pretrained
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres
from tests.support.silent_proxy import SilentProxy, start_silent_proxy

ROUNDS = 5
FOLLOWED_S, STOPPED_S = 15.0, 10.0
"""The longest that a server may take to follow a promotion, and to end."""


def connections_are_dropped(folder: Path) -> list[list[str]]:
    """Return the rows of servers whose connections are dropped: what they follow, and how they end."""
    followed: list[float] = []
    stopped: list[float] = []
    predictions = service.Clients()
    with start_postgres() as postgres, start_silent_proxy(postgres.port) as proxy:
        url = f"postgresql://inkling@127.0.0.1:{proxy.port}/postgres"
        with closing(Registry(postgres.url())) as registry:
            add_versions(registry)
            for number in range(ROUNDS):
                with running_inkling(folder / str(number), INKLING_DATABASE_URL=url) as server:
                    with service.predicting(server, predictions):
                        followed.append(_follow(server, proxy, registry, 1 + (number + 1) % 2))
                    proxy.silence(is_new_silent=number % 2 == 1)
                    stopped.append(_stop(server))
                    proxy.speak()
    if max(followed) > FOLLOWED_S or max(stopped) > STOPPED_S or predictions.failures:
        raise RuntimeError(f"followed after {followed} s, ended after {stopped} s, {predictions.failures[:3]}")
    times = f"{ROUNDS} times"
    return [
        [
            f"the network drops a server's connections in silence, and another process promotes, {times}",
            predictions.in_words(),
            f"followed after {min(followed):.1f} to {max(followed):.1f} s",
        ],
        [
            f"SIGTERM after connections were dropped, {times}, in every second one new connections too",
            "",
            f"ended in order after {min(stopped):.1f} to {max(stopped):.1f} s",
        ],
    ]


def add_versions(registry: Registry) -> None:
    """Add the network that ships, which is served, and a second version."""
    shipped = load_pretrained()
    registry.versions.add_first(shipped)
    parameters = {name: array.copy() for name, array in shipped.parameters.items()}
    parameters["biases/out"][0] += 1e-3
    registry.versions.add_upload(checkpoint.save(parameters, shipped.card))


def _follow(server: Process, proxy: SilentProxy, registry: Registry, version: int) -> float:
    """Drop the connections, promote elsewhere; return the seconds until the server serves the version."""
    with server.client() as client:
        for _ in range(20):  # several connections are open
            client.get("/versions").raise_for_status()
        proxy.silence()
        registry.versions.promote(version, "for the benchmark")
        started = time.monotonic()
        while client.get("/readyz").json()["version"] != version:
            if time.monotonic() - started > 4 * FOLLOWED_S:
                raise RuntimeError(f"version {version} was not followed in {4 * FOLLOWED_S:.0f} s")
            time.sleep(0.05)
    return time.monotonic() - started


def _stop(server: Process) -> float:
    """Send SIGTERM; return the seconds until the server has ended in order."""
    started = time.monotonic()
    os.kill(server.popen.pid, signal.SIGTERM)
    code = server.popen.wait(6 * STOPPED_S)
    if code:
        raise RuntimeError(f"the server ended with exit code {code}")
    return time.monotonic() - started
