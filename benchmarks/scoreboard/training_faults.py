"""Faults of the surroundings while a run is trained: a full disk, Keras, a stepped clock, pauses on purpose."""

import time
from pathlib import Path

from benchmarks.digits import write_mnist
from benchmarks.scoreboard import image_bombs
from benchmarks.scoreboard.arena import Arena
from benchmarks.scoreboard.inputs import RAW, STRICT
from benchmarks.scoreboard.registry import fill, small_disk
from benchmarks.scoreboard.row import Attack, Measured, NotRunError
from benchmarks.scoreboard.trainer import (
    LONG,
    SMALL,
    problems_of,
    queue,
    run_of,
    training,
    wait,
    wait_for_steps,
    worker,
)
from benchmarks.scoreboard.wire import post

LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")


def _full_disk(arena: Arena) -> Measured:
    """Fill the disk while a run is trained, and free it again."""
    with small_disk(arena.new_folder() / "disk", 24) as disk, training(arena, data_dir=disk) as server:
        number = queue(server, {**LONG, "training_steps": 40_000})
        wait_for_steps(server, number)
        ballast = fill(disk)
        time.sleep(25)
        starts = server.log.count("trainer started")
        during = run_of(server, number)
        ballast.unlink()
        run = wait(server, number, 90, "succeeded", "failed")
        problems = problems_of(server)
        log = server.log
    is_named = "disk" in f"{during} {run} {log}"
    return Measured(
        "the disk is full for 25 s while a run is trained",
        f"{starts} trainers started meanwhile; the cause is named: {is_named}; freed: {run['state']} "
        f"{str(run.get('error') or '')[:120]}; {len(problems)} problems in the registry",
        starts <= 5 and is_named and run["state"] == "succeeded" and not problems,
    )


def _keras_variables(arena: Arena) -> Measured:
    states = {}
    for name, value in (("KERAS_BACKEND", "jax"), ("TF_USE_LEGACY_KERAS", "1")):
        with training(arena, {name: value}) as server:
            run = wait(server, queue(server, SMALL), 60, "succeeded", "failed")
            states[name] = f"{run['state']} {str(run.get('error') or '')[:80]}".strip()
    return Measured("KERAS_BACKEND=jax, and TF_USE_LEGACY_KERAS=1", str(states), set(states.values()) == {"succeeded"})


def libfaketime() -> Path:
    """Return the library that changes a process's clock.

    Raises:
        NotRunError: it is not installed.
    """
    for pattern in LIBRARIES:
        for library in Path("/").glob(pattern[1:]):
            return library
    raise NotRunError("needs libfaketime (apt-get install faketime)")


def _clock(arena: Arena) -> Measured:
    """Step the server's clock by a day, back and forth, while one run is trained and one waits.

    The trainer's clock is the machine's: libfaketime breaks the long sleeps of Python.
    """
    library = libfaketime()
    now = arena.new_folder() / "now"
    now.write_text("+0")
    faked = {
        "INKLING_MAX_QUEUED_RUNS": "1",
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(now),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    mnist = {"INKLING_MNIST_DIR": str(write_mnist(arena.new_folder() / "mnist"))}
    waits = []
    with arena.server(environment=faked) as server, worker(server, mnist):
        running = queue(server, {**SMALL, "training_steps": 6000})
        wait_for_steps(server, running)
        waiting = queue(server, SMALL)
        for step in ("-1d", "+1d", "-3600"):
            now.write_text(step)
            time.sleep(1)
            with server.client() as client:
                refused = client.post("/train", json={"overrides": SMALL})
                predicted = client.post(STRICT, content=bytes(784), headers={"Content-Type": RAW})
            waits.append(refused.headers.get("Retry-After", f"({refused.status_code})"))
        runs = [wait(server, number, 100, "succeeded", "failed") for number in (running, waiting)]
        problems = problems_of(server)
    states = [f"{run['state']} {str(run.get('error') or '')[:100]}".strip() for run in runs]
    are_sane = all((wait.isdigit() and 1 <= int(wait) <= 3600) or wait == "(202)" for wait in waits)
    return Measured(
        "steps of the server's clock by -1 day, +1 day and -1 hour while one run is trained and one waits",
        f"Retry-After: {', '.join(waits)}; the runs: {', '.join(states)}; {len(problems)} problems in the registry",
        are_sane and set(states) == {"succeeded"} and predicted.status_code == 200 and not problems,
    )


def _pause_abused(arena: Arena) -> Measured:
    """Send pictures that once blocked the event loop while a run is trained: it goes on."""
    picture = image_bombs.png_with_text(60)
    with training(arena) as server:
        number = queue(server, LONG)
        wait_for_steps(server, number)
        rates = []
        for is_attacked in (False, True):
            before, started = run_of(server, number)["step"], time.monotonic()
            while time.monotonic() - started < arena.count(8, 4):
                if is_attacked:
                    post(server, STRICT, picture, "image/png")
                time.sleep(0.4)
            rates.append((run_of(server, number)["step"] - before) / (time.monotonic() - started))
    return Measured(
        "2.5 PNGs per second with 60 MB of compressed texts, while a run is trained",
        f"{rates[1]:.0f} training steps per second, {rates[0]:.0f} without them",
        rates[1] > 0.5 * rates[0] > 0,
    )


ATTACKS = (
    Attack(
        "trainer-full-disk",
        "The disk is full while a run is trained",
        "at most 5 trainers started; the cause is named; the run succeeds when the disk is freed",
        _full_disk,
        300,
    ),
    Attack("keras-variables", "Environment variables of Keras", "runs succeed", _keras_variables, 240),
    Attack("clock-steps", "Steps of the server's clock", "Retry-After of 1 to 3,600 s; all runs succeed", _clock, 300),
    Attack("pause-abused", "Pauses of training caused on purpose", "half of the steps per second", _pause_abused, 240),
)
