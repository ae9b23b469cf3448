"""Faults of training: trainers that hang, are killed or run out of memory, full disks, stepped clocks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.digits import write_mnist
from benchmarks.scoreboard.arena import Arena, Server, wait_for
from benchmarks.scoreboard.memory_group import MemoryGroup, memory_group
from benchmarks.scoreboard.row import Attack, Measured, NotRunError
from inkling.registry.registry import Registry

SMALL = {"training_steps": 300, "display_step": 50, "validation_size": 200}
LONG = {"training_steps": 200_000, "display_step": 100, "validation_size": 200}
OOM_MIB = 2000
SPARE_MIB = 64
EATER = """
taken = []
while True:
    taken.append(bytearray(b"x") * (8 << 20))
"""
"""A program that takes all memory of its group."""


@contextmanager
def training(
    arena: Arena, environment: Mapping[str, str] | None = None, data_dir: Path | None = None
) -> Iterator[Server]:
    """Start a server that starts its trainers, on a small synthetic data set."""
    mnist = write_mnist(arena.new_folder() / "mnist")
    variables = {"INKLING_MNIST_DIR": str(mnist), **(environment or {})}
    with arena.server(trainer="process", data_dir=data_dir, environment=variables) as server:
        yield server


@contextmanager
def worker(
    server: Server, environment: Mapping[str, str], group: MemoryGroup | None = None
) -> Iterator[processes.Process]:
    """Start a trainer beside the server, and stop it at the end."""
    command = [*processes.serve_command(0, Path())[:1], "worker"]
    variables = {**environment, "INKLING_DATA_DIR": str(server.data_dir)}
    worker = processes.start(group.wrap(command) if group else command, 0, variables)
    try:
        yield worker
    finally:
        worker.stop()


def queue(server: Server, overrides: Mapping[str, int]) -> int:
    with server.client() as client:
        answer = client.post("/train", json={"overrides": overrides, "promote": "never"})
        return int(answer.raise_for_status().json()["id"])


def run_of(server: Server, number: int) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"/train/{number}").raise_for_status().json()
        return found


def wait(server: Server, number: int, seconds: float, *states: str) -> dict[str, Any]:
    """Wait until a run is in one of these states or the time is over; return it as it is then."""
    wait_for(lambda: _look(server, number)["state"] in states, seconds, every_s=0.3)
    return run_of(server, number)


def wait_for_steps(server: Server, number: int, seconds: float = 60) -> None:
    if not wait_for(lambda: _look(server, number)["step"] > 0, seconds, every_s=0.3):
        raise TimeoutError(f"the run has no step after {seconds:.0f} s")


def _look(server: Server, number: int) -> dict[str, Any]:
    _raise_priority(server)
    return run_of(server, number)


def _trainers(server: Server) -> list[int]:
    """Return the trainer processes of a server's data directory."""
    mark = f"INKLING_DATA_DIR={server.data_dir}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"worker" in words and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _raise_priority(server: Server) -> None:
    """Give the trainers an ordinary priority: with their own, other programs of this machine would decide the row."""
    for pid in _trainers(server):
        with suppress(OSError):  # only root may
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
                os.setpriority(os.PRIO_PROCESS, int(task.name), 0)
            Path(f"/proc/{pid}/autogroup").write_text("0", "ascii")


def _signal_trainers(server: Server, number: signal.Signals) -> int:
    trainers = _trainers(server)
    for pid in trainers:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(trainers)


def problems_of(server: Server) -> list[str]:
    registry = Registry(f"sqlite:///{server.data_dir / 'inkling.db'}")
    found = [str(problem) for problem in registry.verify()]
    registry.close()
    return found


def _killed(arena: Arena) -> Measured:
    """Kill the trainer once: the run goes on. Kill it twice: the run says by what."""
    with training(arena) as server:
        once = queue(server, {**SMALL, "training_steps": 1500})
        wait_for_steps(server, once)
        _signal_trainers(server, signal.SIGKILL)
        survived = wait(server, once, 90, "succeeded", "failed")
        twice = queue(server, LONG)
        for _ in range(2):
            wait_for_steps(server, twice)
            time.sleep(1)
            _signal_trainers(server, signal.SIGKILL)
            time.sleep(6)
        failed = wait(server, twice, 60, "failed")
        problems, log = problems_of(server), server.log
    words = f"{failed.get('error')} {log}"
    is_named = "SIGKILL" in words or "signal 9" in words
    return Measured(
        "the trainer of one run is killed once, of another twice",
        f"once: {survived['state']}; twice: {failed['state']}, {str(failed.get('error'))[:160]}; "
        f"signal named: {is_named}; {len(problems)} problems in the registry",
        survived["state"] == "succeeded" and failed["state"] == "failed" and is_named and not problems,
    )


def _hung(arena: Arena) -> Measured:
    """Stop the trainer with SIGSTOP: the run ends without it, and a new run is trained."""
    with training(arena) as server:
        number = queue(server, {**SMALL, "training_steps": 1500})
        wait_for_steps(server, number)
        stopped = _signal_trainers(server, signal.SIGSTOP)
        started = time.monotonic()
        run = wait(server, number, 100, "succeeded", "failed")
        waited_s = time.monotonic() - started
        problems = problems_of(server)
    return Measured(
        f"{stopped} trainer stopped with SIGSTOP while it trains",
        f"the run: {run['state']} after {waited_s:.0f} s; {len(problems)} problems in the registry",
        stopped == 1 and run["state"] == "succeeded" and not problems,
    )


def _hung_cancel(arena: Arena) -> Measured:
    with training(arena) as server:
        number = queue(server, LONG)
        wait_for_steps(server, number)
        _signal_trainers(server, signal.SIGSTOP)
        with server.client() as client:
            cancelled = client.delete(f"/train/{number}").status_code
        started = time.monotonic()
        run = wait(server, queue(server, SMALL), 100, "succeeded", "failed")
        waited_s = time.monotonic() - started
    return Measured(
        "a hung trainer's run is cancelled, and another one is queued",
        f"cancel: {cancelled}; the next run: {run['state']} after {waited_s:.0f} s",
        cancelled == 200 and run["state"] == "succeeded",
    )


def _out_of_memory(arena: Arena) -> Measured:
    """Let the kernel kill a trainer for its memory in the middle of a run, and start another one."""
    mnist = {"INKLING_MNIST_DIR": str(write_mnist(arena.new_folder() / "mnist"))}
    with arena.server() as server, memory_group(OOM_MIB) as group:
        if group is None:
            raise NotRunError("no memory cgroup can be made here")
        number = queue(server, {**SMALL, "training_steps": 6000})
        with worker(server, mnist, group) as first:
            wait_for_steps(server, number)
            group.squeeze(SPARE_MIB)  # the trainer is the largest process of its group, the first to be killed
            eater = subprocess.Popen(group.wrap([sys.executable, "-c", EATER]))
            try:
                code = first.popen.wait(60)
            finally:
                eater.kill()
                eater.wait()
        kills = group.kills()
        with worker(server, mnist):
            run = wait(server, number, 100, "succeeded", "failed")
        problems = problems_of(server)
    return Measured(
        "the kernel kills a trainer whose group has no memory left; then another one is started",
        f"killed: {kills}, exit code {code}; the run: {run['state']}; {len(problems)} problems in the registry",
        kills > 0 and run["state"] == "succeeded" and not problems,
    )


ATTACKS = (
    Attack("trainer-killed", "A trainer is killed", "the run goes on; killed twice, it names the signal", _killed, 240),
    Attack("trainer-hung", "A trainer hangs", "the run succeeds without help within 100 s", _hung, 240),
    Attack("trainer-hung-cancel", "A hung trainer's run is cancelled", "the next run succeeds", _hung_cancel, 240),
    Attack("trainer-oom", "A trainer without memory", "the run succeeds when there is memory", _out_of_memory, 240),
)
