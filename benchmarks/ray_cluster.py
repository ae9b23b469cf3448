"""`python -m benchmarks.ray_cluster`: deploy/ray on two nodes in this machine, and what is lost when parts of it die.

Runs in the environment of `make ray`, with PostgreSQL and, for a head that is replaced, Redis. Each part is killed in
the middle of a load of single PNGs; a request is lost if its client gets no 200.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.digits import write_mnist
from benchmarks.processes import ROOT, descendants, free_port
from benchmarks.verdicts import log_to_stderr
from inkling.model_card.markdown import table
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres

PNG = (ROOT / "docs" / "digits" / "7.png").read_bytes()
KEY = "key-of-the-benchmark"
CLIENTS = 4
START_ATTEMPTS = 3
PATIENCE_S = 240.0
"""How long anything may take on a busy machine."""
STEPS = 4_000
"""Of a training that is under way when its trainer is killed."""
ORDINARY_PRIORITY = ROOT / "tests" / "support" / "ordinary_priority"
"""A trainer at the lowest priority would wait for the load."""
OBJECT_STORE_BYTES = 100 << 20
OPTIONS = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # its default of 5 s is too short for a busy machine
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # its default of 15 would have the cluster wait for all other work
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


@dataclass
class Load:
    """Requests of some clients, each on a kept connection, until the end of the context."""

    port: int
    answers: Counter[str] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    """The longest time between two answers 200 of all clients together."""

    def __enter__(self) -> "Load":
        self._stop, self._lock, self._last_at = threading.Event(), threading.Lock(), time.monotonic()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def lost(self) -> int:
        return self.answers.total() - self.answers["200"]

    def wait_for_answers(self, count: int) -> None:
        """Wait until so many more requests are answered with 200."""
        wanted = self.answers["200"] + count
        wait_until(lambda: self.answers["200"] >= wanted, f"{count} answers")

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/predict", PNG, {"Content-Type": "image/png"})
                response = connection.getresponse()
                response.read()
                self._note(str(response.status))
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._note(type(error).__name__)
                self._stop.wait(0.05)
        connection.close()

    def _note(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1
            if answer == "200":
                now = time.monotonic()
                self.longest_gap_s, self._last_at = max(self.longest_gap_s, now - self._last_at), now


class TwoNodes:
    """Owns a Ray cluster of a head and a worker node in this machine, with the applications of deploy/ray on it.

    Both nodes' HAProxies listen on the same port, as the kernel lets them: so one port is the load balancer.
    """

    def __init__(self, folder: Path, database_url: str, mnist_dir: Path, redis_port: int | None = None) -> None:
        self.port = free_port()
        self.registry = Registry(database_url)
        variables = {
            **OPTIONS,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ORDINARY_PRIORITY}",
            "INKLING_DATABASE_URL": database_url,
            "INKLING_API_KEY": KEY,
            "INKLING_DATA_DIR": str(folder / "data"),
            "INKLING_MNIST_DIR": str(mnist_dir),
        }
        if redis_port:
            variables["RAY_REDIS_ADDRESS"] = f"127.0.0.1:{redis_port}"
        os.environ.update(variables)
        self._head = {
            "num_cpus": 1,
            "gcs_server_port": free_port(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }

    def start(self) -> None:
        """Start both nodes. Ray gives a node 30 s, which a busy machine may exceed: then it is tried again."""
        from ray.cluster_utils import Cluster  # noqa: PLC0415  reads the environment when it is imported

        for attempt in range(START_ATTEMPTS):
            try:
                self.cluster = Cluster(initialize_head=True, head_node_args=self._head)
                self.add_node()
            except Exception:
                kill(started_by_ray())
                if attempt == START_ATTEMPTS - 1:
                    raise
            else:
                return

    def restart_head(self) -> None:
        """Start another head, which reads its state from Redis, at the address of the one that was killed."""
        self.cluster.head_node = None
        self.cluster.add_node(**self._head)

    @property
    def worker(self) -> Any:
        (node,) = self.cluster.worker_nodes
        return node

    def add_node(self) -> None:
        self.cluster.add_node(num_cpus=3, object_store_memory=OBJECT_STORE_BYTES)

    def deploy(self) -> None:
        """Start the applications, and disconnect: they live on without this process."""
        import ray  # noqa: PLC0415  as above
        from ray import serve  # noqa: PLC0415

        from deploy.ray import serving, trainers  # noqa: PLC0415

        ray.init(address=self.cluster.address, logging_level="ERROR", log_to_driver=False)
        serve.start(http_options={"host": "127.0.0.1", "port": self.port}, proxy_location="EveryNode")
        serve.run(
            serving.Server.options(num_replicas=2, ray_actor_options={"num_cpus": 1}).bind(),
            name="inkling",
            route_prefix="/",
        )
        serve.run(trainers.app, name="trainers", route_prefix=None)
        ray.shutdown()

    def stop(self) -> None:
        self.registry.close()
        kill(started_by_ray())

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case, and content, on a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, {"Authorization": f"Bearer {KEY}", **headers})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, content

    def train(self, steps: int) -> int:
        """Queue a run whose version is promoted in any case; return its number."""
        body = {"promote": "always", "overrides": {"training_steps": steps, "validation_size": 200}}
        status, _, content = self.call(
            "POST", "/train", json.dumps(body).encode(), **{"Content-Type": "application/json"}
        )
        if status != 202:
            raise RuntimeError(f"POST /train answered {status}: {content!r}")
        return int(json.loads(content)["id"])

    def wait_for_run(self, run_id: int) -> None:
        wait_until(lambda: self.registry.runs.get(run_id).finished_at is not None, f"end of run {run_id}")

    def wait_for_snapshot(self, run_id: int) -> None:
        wait_until(lambda: self.registry.runs.snapshot(run_id) is not None, f"snapshot of run {run_id}")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Check a condition until it holds.

    Raises:
        TimeoutError: it does not within PATIENCE_S.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {PATIENCE_S:.0f} s")
        time.sleep(0.1)


def pids(words: str, among: Sequence[int] | None = None) -> list[int]:
    """Return the processes whose command line has these words, all or among some."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if among is None or pid in among]


def started_by_ray() -> list[int]:
    """Return the processes of all nodes that this process has started."""
    return pids("ray", descendants(os.getpid()))


def pids_of(node: Any) -> list[int]:
    """Return all processes of a node: those that it has started, and theirs."""
    started = [info.process.pid for infos in node.all_processes.values() for info in infos]
    return [pid for parent in started for pid in (parent, *descendants(parent))]


def kill(found: Iterable[int]) -> None:
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_node(node: Any) -> None:
    """Kill all processes of a node at once, as if its machine had failed."""
    kill(pids_of(node))
    for infos in node.all_processes.values():
        for info in infos:
            info.process.wait()


REPLICA, TRAINER = "ray::ServeReplica:inkling:Server", "ray::train_runs"


@dataclass(frozen=True)
class Loss:
    """What the kill of one part has cost."""

    part: str
    requests: int
    lost: str
    gap_s: float
    versions: str
    """Those published before, and the outcome of the run that was being trained."""
    is_whole: bool
    """Whether no version is lost, and the run succeeded."""


def measured(cluster: TwoNodes, part: str, kill: Callable[[], None], recover: Callable[[], None]) -> Loss:
    """Kill a part in the middle of a load and of a training, and wait until both go on as before."""
    log_to_stderr(f"killing {part}")
    run_id = cluster.train(STEPS)
    cluster.wait_for_snapshot(run_id)
    before = {version.version for version in cluster.registry.versions.newest(100)}
    with Load(cluster.port) as load:
        load.wait_for_answers(200)
        kill()
        recover()
        load.wait_for_answers(200)
    cluster.wait_for_run(run_id)
    run = cluster.registry.runs.get(run_id)
    kept = before <= {version.version for version in cluster.registry.versions.newest(100)}
    kinds = ", ".join(f"{count} {name}" for name, count in load.answers.most_common() if name != "200")
    versions = f"{'none lost' if kept else 'LOST'}; the run {run.state} at attempt {run.attempt}"
    return Loss(
        part,
        load.answers.total(),
        f"{load.lost} ({kinds})" if kinds else "0",
        load.longest_gap_s,
        versions,
        kept and run.state == "succeeded",
    )


def kill_replica(cluster: TwoNodes) -> Loss:
    """Kill one of two replicas; Serve starts another one."""

    def kill_one() -> None:
        os.kill(pids(REPLICA)[0], signal.SIGKILL)

    return measured(cluster, "a replica", kill_one, lambda: wait_until(lambda: len(pids(REPLICA)) == 2, "new replica"))


def kill_trainer(cluster: TwoNodes) -> Loss:
    """Kill the process of a task; Ray retries the task."""

    def kill_one() -> None:
        os.kill(pids(TRAINER)[0], signal.SIGKILL)

    return measured(
        cluster, "a trainer's task", kill_one, lambda: wait_until(lambda: bool(pids(TRAINER)), "new trainer")
    )


def kill_worker_node(cluster: TwoNodes) -> Loss:
    """Kill a node and add one, as a cloud does: its replica and its trainer move there."""

    def recover() -> None:
        cluster.cluster.worker_nodes.clear()
        cluster.add_node()
        wait_until(lambda: len(pids(REPLICA)) == 2 and bool(pids(TRAINER)), "replica and trainer on the new node")

    return measured(cluster, "the worker node", lambda: kill_node(cluster.worker), recover)


def kill_head(cluster: TwoNodes, *, has_redis: bool) -> Loss:
    """Kill the head and start it again; without Redis, the whole cluster and its applications with it."""

    def recover() -> None:
        if has_redis:
            cluster.restart_head()
        else:
            kill_node(cluster.worker)  # as KubeRay does: its raylet would end by itself after a minute
            cluster.start()
            cluster.deploy()
        wait_until(lambda: len(pids(REPLICA)) == 2 and bool(pids(TRAINER)), "replica and trainer after the head")

    part = f"the head, {'state in Redis' if has_redis else 'no Redis'}"
    return measured(cluster, part, lambda: kill_node(cluster.cluster.head_node), recover)


FAULTS: dict[str, Callable[[TwoNodes], Loss]] = {
    "replica": kill_replica,
    "trainer": kill_trainer,
    "node": kill_worker_node,
    "head": lambda cluster: kill_head(cluster, has_redis=False),
    "head-redis": lambda cluster: kill_head(cluster, has_redis=True),
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_cluster", description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[*FAULTS, []], help="all by default")
    names = parser.parse_args(arguments).faults or list(FAULTS)
    losses = []
    for has_redis in (False, True):
        chosen = [name for name in names if name.endswith("redis") == has_redis]
        if chosen:
            with running_cluster(has_redis=has_redis) as cluster:
                losses += [FAULTS[name](cluster) for name in chosen]
    print(section(losses))
    return 0 if all(loss.is_whole for loss in losses) else 1


@contextlib.contextmanager
def running_cluster(*, has_redis: bool = False) -> Iterator[TwoNodes]:
    """Start PostgreSQL, Redis if asked to, and two nodes with the applications."""
    with tempfile.TemporaryDirectory() as made, start_postgres() as postgres, contextlib.ExitStack() as stack:
        folder = Path(made)
        redis_port = stack.enter_context(running_redis(folder)) if has_redis else None
        url = postgres.new_database().replace("+psycopg", "")
        cluster = TwoNodes(folder, url, write_mnist(folder / "mnist"), redis_port)
        try:
            cluster.start()
            log_to_stderr("two nodes are up")
            cluster.deploy()
            log_to_stderr("the applications are up")
            yield cluster
        finally:
            cluster.stop()


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[int]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


def section(losses: Sequence[Loss]) -> str:
    header = ["killed", "requests", "lost", "longest time without an answer", "versions and runs"]
    rows = [[loss.part, f"{loss.requests:,}", loss.lost, f"{loss.gap_s:.1f} s", loss.versions] for loss in losses]
    return table(header, rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
