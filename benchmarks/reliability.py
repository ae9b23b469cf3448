"""`make reliability`: kills servers and trainers at random moments, and counts the losses.

The server is killed with its whole process group, the trainer with its own. After every kill the registry is verified
in its database, and a new server must answer. At the end every run that was accepted must have ended exactly once.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks import processes
from benchmarks.digits import make_digits, write_mnist
from inkling.registry.registry import Registry

SERVES_WITHIN_S = 3.0
WAITING_RUNS = 2
END_S = 300
OVERRIDES = {"training_steps": 600, "display_step": 20, "validation_size": 200}


@dataclass
class Tally:
    kills: Counter[str] = field(default_factory=Counter)
    killed_while: Counter[str] = field(default_factory=Counter)
    starts_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    accepted: dict[int, str] = field(default_factory=dict)
    """Run id -> the idempotency key of its request."""


class Victim:
    """A server on a free port, and the trainers that work on its data directory."""

    def __init__(self, folder: Path, mnist_dir: Path) -> None:
        self.data_dir = folder / "data"
        self._log = (folder / "log").open("ab")
        self._environment = {
            "INKLING_DATA_DIR": str(self.data_dir),
            "INKLING_MNIST_DIR": str(mnist_dir),
            "INKLING_MAX_QUEUED_RUNS": "1000",
        }
        self.client = httpx.Client(timeout=5)

    @property
    def registry_url(self) -> str:
        return f"sqlite:///{self.data_dir / 'inkling.db'}"

    def start(self, image: bytes) -> float:
        """Start the server; return the seconds until it has answered a prediction."""
        port = processes.free_port()
        command = processes.serve_command(port, self.data_dir, trainer="process")
        self.server = processes.start(command, port, self._environment, self._log)
        self.client.base_url = httpx.URL(self.server.url)
        try:
            return self.server.wait_for(lambda: self._predicts(image))
        except RuntimeError as error:
            raise SystemExit(f"{error}; its log is {self._log.name!r}") from error

    def _predicts(self, image: bytes) -> bool:
        headers = {"Content-Type": "application/octet-stream"}
        try:
            return self.client.post("/predict", content=image, headers=headers).status_code == 200
        except httpx.TransportError:
            return False

    def kill_server(self) -> None:
        os.killpg(self.server.popen.pid, signal.SIGKILL)
        self.server.popen.wait()

    def trainers(self) -> list[int]:
        return processes.trainers_of(self.data_dir)

    def kill_trainers(self) -> None:
        for pid in self.trainers():
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="number of kills")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        victim = Victim(Path(folder), write_mnist(Path(folder) / "mnist"))
        try:
            tally = torture(victim, dice, arguments.count)
        finally:
            victim.kill_trainers()
            victim.kill_server()
    return report(tally, arguments)


def torture(victim: Victim, dice: random.Random, count: int) -> Tally:
    tally = Tally()
    image = make_digits(1, seed=0)[0].tobytes()
    tally.starts_s.append(victim.start(image))
    for kill in range(count):
        keep_busy(victim, tally)
        time.sleep(dice.uniform(0.1, 9.0))
        whom = dice.choice(["server", "trainer", "server and trainer"])
        running = Registry(victim.registry_url).runs.running()
        tally.killed_while[f"step {'0' if not running[0].step else '> 0'}" if running else "no run"] += 1
        if "trainer" in whom:
            victim.kill_trainers()
        if "server" in whom:
            victim.kill_server()
        tally.kills[whom] += 1
        check(victim, tally, f"after kill {kill + 1} ({whom})")
        if "server" in whom:
            tally.starts_s.append(victim.start(image))
        print(f"\r{kill + 1} of {count} kills, {len(tally.accepted)} runs", end="", file=sys.stderr, flush=True)
    wait_for_the_end(victim, tally)
    check(victim, tally, "at the end")
    return tally


def keep_busy(victim: Victim, tally: Tally) -> None:
    """Keep some runs in the queue; each is requested twice with one key, as by a client that got no answer."""
    registry = Registry(victim.registry_url)
    while sum(run.state in ("queued", "running") for run in registry.runs.newest(limit=50)) < WAITING_RUNS:
        key = f"run {len(tally.accepted)}"
        body = {"overrides": {**OVERRIDES, "seed": len(tally.accepted)}, "promote": "always"}
        answers = [victim.client.post("/train", json=body, headers={"Idempotency-Key": key}) for _ in range(2)]
        ids = {answer.json()["id"] for answer in answers}
        if len(ids) != 1:
            tally.problems.append(f"{key} was requested twice and created the runs {ids}")
        tally.accepted[ids.pop()] = key
    registry.close()


def check(victim: Victim, tally: Tally, when: str) -> None:
    registry = Registry(victim.registry_url)
    tally.problems += [f"{when}: {problem}" for problem in registry.verify()]
    registry.close()


def wait_for_the_end(victim: Victim, tally: Tally) -> None:
    """Wait until every run has ended, and compare them with those that were accepted."""
    registry = Registry(victim.registry_url)
    deadline = time.monotonic() + END_S
    while any(run.state in ("queued", "running") for run in registry.runs.newest(limit=len(tally.accepted) + 1)):
        if time.monotonic() > deadline:
            tally.problems.append(f"a run has not ended {END_S} s after the last kill")
            break
        time.sleep(0.5)
    found = {run.id: run for run in registry.runs.newest(limit=10 * len(tally.accepted))}
    tally.problems += [f"run {run_id} was accepted and is lost" for run_id in tally.accepted.keys() - found.keys()]
    tally.problems += [f"run {run_id} was never requested" for run_id in found.keys() - tally.accepted.keys()]
    states = Counter(f"{run.state} {run.error_type or ''}".strip() for run in found.values())
    tally.killed_while.update({f"run {state}": count for state, count in states.items()})
    for run in found.values():
        if run.state == "failed" and run.error_type != "trainer_died":
            tally.problems.append(f"run {run.id} failed: {run.error_type}: {run.error}")
        if run.state == "succeeded" and (steps := len(registry.runs.progress(run.id))) != run.total_steps // 20:
            tally.problems.append(f"run {run.id} has {steps} progress records, expected {run.total_steps // 20}")
    registry.close()


def report(tally: Tally, arguments: argparse.Namespace) -> int:
    late = [seconds for seconds in tally.starts_s if seconds > SERVES_WITHIN_S]
    print(f"\n\nseed {arguments.seed}, {sum(tally.kills.values())} kills")
    for name, count in sorted(tally.kills.items()):
        print(f"  killed {name:<28} {count:>5}")
    for name, count in sorted(tally.killed_while.items()):
        print(f"  {name:<35} {count:>5}")
    print(f"  starts                              {len(tally.starts_s):>5}")
    print(f"  start to prediction, median         {statistics.median(tally.starts_s):>5.2f} s")
    print(f"  start to prediction, slowest        {max(tally.starts_s):>5.2f} s   (limit {SERVES_WITHIN_S:.0f} s)")
    print(f"  starts over the limit               {len(late):>5}")
    print(f"  problems                            {len(tally.problems):>5}")
    for problem in tally.problems[:20]:
        print(f"    {problem}")
    return 1 if late or tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
