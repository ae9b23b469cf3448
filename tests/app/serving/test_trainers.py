import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.errors import UnavailableError
from app.serving.trainer_watch import Patience, describe_death
from app.serving.trainers import Trainers
from app.settings import Settings
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Run
from inkling.registry.registry import Registry
from tests.support.networks import make_checkpoint
from tests.support.runs import execute, stop_between_writes
from tests.support.servers import Server, start_server
from tests.support.services import connect, eventually, eventually_answers, open_registry

pytestmark = pytest.mark.unmeasured

SHORT = {"training_steps": 200, "batch_size": 64, "validation_size": 200, "learning_rate": 0.01}
LONG = {**SHORT, "training_steps": 1_000_000, "display_step": 1000}


@pytest.fixture
def process_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"trainer": "process"})


@pytest.fixture
def trainer(process_settings: Settings, registry: Registry) -> Iterator[Trainers]:
    trainer = Trainers(process_settings, registry)
    yield trainer
    trainer.stop()


def queue(registry: Registry) -> Run:
    return registry.runs.queue(TUTORIAL, "never", max_queued=10)[0]


def trainer_processes(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Return the process ids of the trainers started so far."""
    found = (re.fullmatch(r"trainer started, process (\d+)", record.getMessage()) for record in caplog.records)
    return [int(match[1]) for match in found if match]


def is_gone(process: int) -> bool:
    """Whether a process has ended: it is no more, or waits to be reaped."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


# the trainer process


def test_external_server_starts_no_trainer(
    settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trainer = Trainers(settings, registry)
    trainer.require()
    queue(registry)
    trainer.ensure()
    trainer.stop()
    assert trainer_processes(caplog) == []
    assert registry.runs.get(1).state == "queued"


def test_run_needs_tensorflow_where_its_trainer_starts(trainer: Trainers, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer.require()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="training needs TensorFlow"):
        trainer.require()


def test_external_server_needs_no_tensorflow(
    settings: Settings, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    Trainers(settings, registry).require()


def test_trainer_starts_only_when_a_run_waits_and_only_once(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainers(process_settings, registry, restart_s=0)
    caplog.set_level(logging.INFO)
    trainer.ensure()
    assert trainer_processes(caplog) == []
    queue(registry)
    trainer.ensure()
    trainer.ensure()
    (process,) = trainer_processes(caplog)
    assert os.getpgid(process) == process  # so that Ctrl-C does not reach it
    assert os.getsid(process) == os.getsid(0)  # so that a prediction interrupts it at once
    if hasattr(os, "SCHED_IDLE"):
        eventually(lambda: os.sched_getscheduler(process) == os.SCHED_IDLE, "it yields to others")
    trainer.stop()
    assert is_gone(trainer_processes(caplog)[0])
    trainer.ensure()
    assert len(trainer_processes(caplog)) == 1  # a server that stops starts no other


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs /proc to see a process's environment")
@pytest.mark.parametrize("set_to", [None, 5])
def test_trainer_leaves_one_cpu_core_to_the_server_unless_set_otherwise(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture, set_to: int | None
) -> None:
    threads = set_to or max(1, len(os.sched_getaffinity(0)) - 1)
    caplog.set_level(logging.INFO)
    trainer = Trainers(process_settings.model_copy(update={"trainer_threads": set_to}), registry)
    queue(registry)
    trainer.ensure()
    try:
        (process,) = trainer_processes(caplog)
        read = Path(f"/proc/{process}/environ").read_bytes
        environment = eventually(read, "the process has an environment")  # none yet amid exec
        assert f"INKLING_TRAINER_THREADS={threads}".encode() in environment.split(b"\0")
    finally:
        trainer.stop()


def test_trainer_that_died_is_started_again_but_not_at_once(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainers(process_settings, registry, restart_s=3)
    caplog.set_level(logging.INFO)
    queue(registry)
    started = time.monotonic()
    trainer.ensure()
    (process,) = trainer_processes(caplog)
    os.kill(process, signal.SIGKILL)
    eventually(lambda: is_gone(process), "the trainer is dead")

    def is_started_again() -> bool:
        trainer.ensure()
        return len(trainer_processes(caplog)) == 2

    eventually(is_started_again, "a second trainer is started")
    assert time.monotonic() - started >= 3
    trainer.stop()


def test_trainer_that_does_not_stop_is_killed(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainers(process_settings.model_copy(update={"mnist_dir": None}), registry, stop_s=0.2)
    caplog.set_level(logging.INFO)
    queue(registry)
    trainer.ensure()
    (process,) = trainer_processes(caplog)
    os.kill(process, signal.SIGSTOP)
    trainer.stop()
    assert is_gone(process)
    trainer.stop()  # once more is harmless


HASTY = Patience(expired_s=0.2, idle_s=0.2, start_s=120, stop_s=0.2)


def is_started_again(trainer: Trainers, caplog: pytest.LogCaptureFixture) -> Callable[[], bool]:
    def look() -> bool:
        trainer.ensure()
        return len(trainer_processes(caplog)) == 2

    return look


def lease_of(registry: Registry) -> Callable[[], bool]:
    return lambda: registry.runs.get(1).lease_expires_at is not None


@pytest.mark.train
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["lease expired", "run cancelled"])
def test_trainer_that_hangs_is_ended_and_the_next_one_started(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture, is_cancelled: bool
) -> None:
    # given: a trainer that is stopped while it holds a lease
    caplog.set_level(logging.INFO)
    trainer = Trainers(process_settings, registry, restart_s=0, patience=HASTY)
    queue(registry)
    trainer.ensure()
    (process,) = trainer_processes(caplog)
    try:
        eventually(lease_of(registry), "a lease")
        trainer.ensure()  # it sees the lease
        stop_between_writes(process_settings, process)
        # when
        if is_cancelled:
            registry.runs.cancel(1)
            queue(registry)
        else:
            execute(process_settings, "UPDATE runs SET lease_expires_at = '2024-07-01 12:00:00' WHERE id = 1")
        eventually(is_started_again(trainer, caplog), "another trainer")
        # then
        assert is_gone(process)
        assert "does not respond: ending it with SIGTERM" in caplog.text
        assert "does not react to SIGTERM: killing it" in caplog.text
        assert "killed by SIGKILL (signal 9, exit code 137)" in caplog.text
        if not is_cancelled:
            assert "did not respond, so the server ended it" in (registry.runs.get(1).trouble or "")
            eventually(lambda: registry.runs.get(1).attempt == 2, "its second attempt")
    finally:
        trainer.stop()


@pytest.mark.train
def test_run_whose_trainers_are_killed_names_signal_and_exit_code(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trainer = Trainers(process_settings, registry, restart_s=0)
    run = registry.runs.queue(TUTORIAL.with_overrides(LONG), "never", max_queued=10)[0]

    def attempts() -> int:
        trainer.ensure()
        return registry.runs.get(run.id).attempt

    try:
        for attempt in (1, 2):
            eventually(lambda attempt=attempt: attempts() == attempt, "an attempt")  # type: ignore[misc]
            os.kill(trainer_processes(caplog)[-1], signal.SIGKILL)
        eventually(lambda: attempts() and registry.runs.get(run.id).state == "failed", "its end")
    finally:
        trainer.stop()
    error = registry.runs.get(run.id).error or ""
    assert "2 times; the last time: its trainer was killed by SIGKILL (signal 9, exit code 137)" in error
    assert "had no memory left" in error
    assert "was killed by SIGKILL" in caplog.text


def test_trainers_that_die_at_their_start_are_started_less_and_less_often(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    # given: a registry that no trainer can open
    caplog.set_level(logging.INFO)
    trainer = Trainers(
        process_settings.model_copy(update={"database_url": "sqlite:////dev/null/none"}), registry, restart_s=0.5
    )
    queue(registry)
    started: list[float] = []

    def is_started(count: int) -> Callable[[], bool]:
        def look() -> bool:
            trainer.ensure()
            if len(trainer_processes(caplog)) > len(started):
                started.append(time.monotonic())
            return len(started) == count

        return look

    for count in (1, 2, 3, 4):
        eventually(is_started(count), f"start {count}")
    trainer.stop()
    # then: half a second, one, two
    assert started[2] - started[1] >= 1
    assert started[3] - started[2] >= 2
    assert "its trainer ended with exit code 1" in caplog.text


@pytest.mark.anyio
async def test_full_disk_starts_no_trainer_and_the_run_says_so(
    process_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given: a disk that needs more room than it has
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("app.serving.trainers.MIN_FREE_BYTES", 2**80)
    async with connect(process_settings) as client:
        # when
        run = (await client.post("/train")).json()
        # then
        assert run["waits_for"].startswith("paused: the disk of the data directory is full, ")
        assert "training is paused: the disk" in caplog.text
        assert trainer_processes(caplog) == []
        # when
        monkeypatch.setattr("app.serving.trainers.MIN_FREE_BYTES", 1)
        # then
        await eventually_answers(client, "/train/1", lambda answer: trainer_processes(caplog) != [])
        assert "has room again" in caplog.text
        await client.delete("/train/1")


@pytest.mark.parametrize(
    ("exit_code", "has_hung", "words"),
    [
        (0, False, None),
        (0, True, "its trainer did not respond, so the server ended it: it ended with exit code 0"),
        (3, False, "its trainer ended with exit code 3"),
        (-11, False, "its trainer was killed by SIGSEGV (signal 11, exit code 139)"),
        (-9, False, "its trainer was killed by SIGKILL (signal 9, exit code 137); if nobody killed it"),
        (-63, False, "its trainer was killed by a signal (signal 63, exit code 191)"),
    ],
)
def test_death_of_a_trainer_in_words(exit_code: int, has_hung: bool, words: str | None) -> None:
    described = describe_death(exit_code, has_hung=has_hung)
    assert (described or "").startswith(words or "")
    assert (described is None) == (words is None)


@pytest.mark.anyio
async def test_external_run_says_in_words_that_no_trainer_takes_it(client: httpx.AsyncClient) -> None:
    run = (await client.post("/train")).json()
    assert run["waits_for"] == "waits for a trainer to take it"
    answer = await eventually_answers(
        client, f"/train/{run['id']}", lambda response: "no trainer has taken it" in response.json()["waits_for"]
    )
    assert "`inkling worker`" in answer.json()["waits_for"]


@pytest.mark.anyio
@pytest.mark.train
async def test_run_is_trained_by_a_process_of_the_servers_own(process_settings: Settings) -> None:
    async with connect(process_settings) as client:
        response = await client.post("/train", json={"overrides": SHORT, "promote": "never"})
        run = response.json()
        assert (response.status_code, run["state"], run["attempt"]) == (202, "queued", 0)
        ended = await eventually_answers(
            client,
            response.headers["location"],
            lambda answer: answer.json()["state"] not in ("queued", "running"),
        )
        run = ended.json()
        assert (run["state"], run["error"], run["step"], run["attempt"]) == ("succeeded", None, 200, 1)
        assert [line["step"] for line in run["progress"]] == [100, 200]
        assert run["progress"][-1]["validation_accuracy"] > 0.2
        assert run["waits_for"] is None
        assert (run["version"], run["decision"]) == (2, "the promote policy is never")
        version = (await client.get("/versions/2")).json()
        assert (version["origin"], version["run_id"], version["evaluation"]["total"]) == ("run", 1, 500)
        assert (await client.get("/metrics")).json()["version"] == 1


@pytest.mark.train
def test_server_that_is_stopped_puts_its_run_back_into_the_queue(server: Server, tmp_path: Path) -> None:
    with server.client() as client:
        location = client.post("/train", json={"overrides": LONG}).headers["location"]
        eventually(lambda: client.get(location).json()["step"], "a line of progress")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(30)
    trainers = [re.search(r"trainer started, process (\d+)", line) for line in server.log]
    (process,) = [int(match[1]) for match in trainers if match]
    assert is_gone(process)
    with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
        run, snapshot = registry.runs.get(1), registry.runs.snapshot(1)
        assert (run.state, run.attempt) == ("queued", 0)
        assert run.step == (snapshot.step if snapshot else 0)
        assert [line.step for line in registry.runs.progress(1)] == list(range(1000, run.step + 1, 1000))
        assert registry.runs.workload().claimable()
        assert registry.verify() == []


def trainers_started(server: Server) -> list[int]:
    """Return the process ids of the trainers that a server has started so far."""
    found = [re.search(r"trainer started, process (\d+)", line) for line in server.log]
    return [int(match[1]) for match in found if match]


@pytest.mark.train
def test_run_of_a_killed_trainer_goes_on_at_once_in_a_new_one(server: Server, tmp_path: Path) -> None:
    """Not when the lease of the dead one ends, which takes up to 30 s."""
    settings = Settings(data_dir=tmp_path / "data")
    with server.client() as client, open_registry(settings) as registry:
        # given: a run that has a snapshot
        client.post("/train", json={"overrides": LONG})
        snapshot = eventually(lambda: registry.runs.snapshot(1), "a snapshot")
        # when: its trainer is killed, whose lease would not end during this test
        (trainer,) = trainers_started(server)
        stop_between_writes(settings, trainer)
        execute(settings, "UPDATE runs SET lease_expires_at = '2999-01-01 00:00:00.000000'")
        os.kill(trainer, signal.SIGKILL)
        # then
        eventually(lambda: len(trainers_started(server)) == 2, "another trainer")
        eventually(lambda: registry.runs.get(1).attempt == 2, "its second attempt")
        eventually(lambda: registry.runs.get(1).step > snapshot.step, "that goes on")
        assert registry.runs.get(1).state == "running"
        assert client.delete("/train/1").json()["state"] == "cancelled"
        assert registry.verify() == []


@pytest.mark.train
def test_trainer_outlives_its_server_and_the_next_server_starts_no_other(tmp_path: Path, small_mnist_dir: Path) -> None:
    # given: a server that is killed while its trainer trains
    data_dir, mnist_dir = tmp_path / "data", str(small_mnist_dir)
    overrides = {**SHORT, "training_steps": 8_000, "display_step": 100}
    trainers: list[int] = []
    with open_registry(Settings(data_dir=data_dir)) as registry:
        try:
            with start_server(data_dir, INKLING_MNIST_DIR=mnist_dir) as first, first.client() as asking:
                asking.post("/train", json={"overrides": overrides, "promote": "never"})
                eventually(lambda: registry.runs.get(1).step, "a line of progress")
                trainers = trainers_started(first)
                first.process.kill()
                first.process.wait(10)
                # when: another one starts on the same data
                with start_server(data_dir, INKLING_MNIST_DIR=mnist_dir) as second, second.client() as client:
                    assert registry.runs.get(1).state == "running"
                    eventually(lambda: client.get("/train/1").json()["state"] != "running", "the run's end")
                    # then: the run was trained once, by the trainer that the first one started
                    run = client.get("/train/1").json()
                    assert trainers_started(second) == []
                    for trainer in trainers:
                        assert not is_gone(trainer)
                        os.kill(trainer, signal.SIGKILL)  # or it would wait 10 s for more work
        finally:
            for trainer in trainers:
                with suppress(ProcessLookupError):
                    os.kill(trainer, signal.SIGKILL)
        assert (run["state"], run["attempt"], run["version"]) == ("succeeded", 1, 2)
        assert [line.step for line in registry.runs.progress(1)] == list(range(100, 8_100, 100))
        assert registry.verify() == []


@pytest.mark.train
def test_short_run_does_not_wait_for_a_long_one_where_two_may_run(
    process_settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: room for two runs at once
    registry.versions.add_first(make_checkpoint())
    monkeypatch.setattr("app.serving.trainers.count_cpus", lambda: 2)
    caplog.set_level(logging.INFO)
    trainers = Trainers(process_settings.model_copy(update={"runs_at_once": 2}), registry, restart_s=0)
    long, short = (registry.runs.queue(TUTORIAL.with_overrides(o), "never", max_queued=10)[0] for o in (LONG, SHORT))

    def has_ended() -> bool:
        trainers.ensure()
        return registry.runs.get(short.id).state not in ("queued", "running")

    try:
        # when
        trainers.ensure()
        trainers.ensure()
        assert len(trainer_processes(caplog)) == 2
        eventually(has_ended, "the end of the short run")
        # then: each run has a trainer, and the one without a run is not joined by a third
        assert [registry.runs.get(run.id).attempt for run in (long, short)] == [1, 1]
        assert registry.runs.get(short.id).state == "succeeded"
        assert registry.runs.get(long.id).state in ("queued", "running")
        registry.runs.cancel(long.id)
        trainers.ensure()
        assert len(trainer_processes(caplog)) == 2
    finally:
        trainers.stop()
    assert all(is_gone(process) for process in trainer_processes(caplog))
    assert registry.verify() == []
