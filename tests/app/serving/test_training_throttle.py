import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.observability.exposition import Exposition
from app.observability.metrics import Metrics
from app.serving.training_throttle import PROBE_S, WINDOW_S, TrainingThrottle
from app.settings import Settings
from inkling.locks.pause_lock import PauseLock
from tests.support.bodies import RAW
from tests.support.servers import Server, start_server
from tests.support.services import eventually, open_registry

pytestmark = pytest.mark.unmeasured

LIMIT_S = 0.02
ENDLESS = {"training_steps": 1_000_000, "display_step": 500, "batch_size": 1, "validation_size": 200}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def throttle(settings: Settings, metrics: Metrics) -> TrainingThrottle:
    return TrainingThrottle(settings, metrics)


@pytest.fixture
def trainer(settings: Settings) -> Iterator[PauseLock]:
    with closing(PauseLock(settings.data_dir)) as pause_lock:
        yield pause_lock


class Probes:
    """The probes of a server at work, one after the other."""

    def __init__(self, throttle: TrainingThrottle, metrics: Metrics) -> None:
        self._throttle = throttle
        self._metrics = metrics
        self._now = 1000.0

    def wait(self, *waits_s: float, is_used: bool = True) -> None:
        for wait_s in waits_s:
            self._now += PROBE_S + wait_s
            self._metrics.count_images(int(is_used))
            self._throttle.observe(wait_s, self._now)


@pytest.fixture
def probes(throttle: TrainingThrottle, metrics: Metrics) -> Probes:
    return Probes(throttle, metrics)


def test_trainers_are_paused_while_the_p99_lag_exceeds_the_limit(
    probes: Probes, throttle: TrainingThrottle, trainer: PauseLock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    probes.wait(*[LIMIT_S] * 100, 0.5, *[LIMIT_S] * 50)
    assert not trainer.is_held()
    probes.wait(LIMIT_S + 0.001)
    assert trainer.is_held()
    probes.wait(*[LIMIT_S] * 10)
    assert trainer.is_held()
    probes.wait(*[LIMIT_S] * 100)
    assert not trainer.is_held()
    assert [record.message for record in caplog.records] == [
        "the event loop's p99 lag exceeds 20 ms: training is paused",
        "the event loop's lag is back under its limit: training continues",
    ]


def test_server_without_predictions_pauses_nobody(
    probes: Probes, throttle: TrainingThrottle, trainer: PauseLock, metrics: Metrics
) -> None:
    probes.wait(*[0.5] * 20, is_used=False)
    assert not throttle.is_paused
    probes.wait(*[0.5] * 3)
    assert trainer.is_held()
    probes.wait(*[0.5] * int(WINDOW_S / (PROBE_S + 0.5) * 2 + 1), is_used=False)
    assert not trainer.is_held()


def test_lock_that_a_checking_trainer_refuses_is_tried_again(
    settings: Settings, probes: Probes, throttle: TrainingThrottle, trainer: PauseLock
) -> None:
    with (settings.data_dir / "pause.lock").open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        probes.wait(*[0.5] * 3)
        assert not throttle.is_paused
    probes.wait(0.5)
    assert trainer.is_held()


def test_lag_and_pause_are_in_the_metrics(probes: Probes, metrics: Metrics) -> None:
    probes.wait(*[0.02] * 4, *[0.3] * 2)
    exposition = Exposition(metrics).encode("text/plain", None)[0].decode()
    assert 'inkling_event_loop_lag_seconds_bucket{le="0.025"} 4.0' in exposition
    assert "inkling_event_loop_lag_seconds_count 6.0" in exposition
    assert "inkling_training_paused 1.0" in exposition


def test_server_that_cannot_write_its_data_directory_serves_without_pausing(
    settings: Settings, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    (settings.data_dir / "pause.lock").mkdir(parents=True)
    throttle = TrainingThrottle(settings, metrics)
    Probes(throttle, metrics).wait(*[0.5] * 3)
    assert not throttle.is_paused
    assert "cannot pause training while predictions wait" in caplog.text


@pytest.mark.train
def test_run_is_paused_while_predictions_wait_and_continues_when_none_come(
    tmp_path: Path, small_mnist_dir: Path
) -> None:
    # given: a server for which every prediction waits too long, and a run that trains
    data_dir = tmp_path / "data"
    with (
        start_server(data_dir, "--pause-training-lag-ms", "0", INKLING_MNIST_DIR=str(small_mnist_dir)) as server,
        server.client() as client,
        open_registry(Settings(data_dir=data_dir)) as registry,
    ):
        client.post("/train", json={"overrides": ENDLESS})
        eventually(lambda: registry.runs.get(1).step, "a line of progress")
        # when: predictions come
        is_over = threading.Event()
        predicting = threading.Thread(target=predict_until, args=(server, is_over))
        predicting.start()
        try:
            eventually(lambda: logged(server, "run 1: paused"), "the run is paused")
            step = registry.runs.get(1).step
            before = registry.runs.get(1).lease_expires_at
            eventually(lambda: registry.runs.get(1).lease_expires_at != before, "its lease is renewed")
            assert (registry.runs.get(1).state, registry.runs.get(1).step) == ("running", step)
            assert "inkling_training_paused 1.0" in client.get("/metrics?format=prometheus").text
        finally:
            is_over.set()
            predicting.join()
        # when: no more come
        eventually(lambda: registry.runs.get(1).step > step, "the run goes on")
        assert registry.runs.get(1).attempt == 1
        assert logged(server, "the event loop's lag is back under its limit: training continues")


def predict_until(server: Server, is_over: threading.Event) -> None:
    with server.client() as client:
        while not is_over.wait(0.01):
            client.post("/predict", content=bytes(784), headers={"Content-Type": RAW}).raise_for_status()


def logged(server: Server, words: str) -> bool:
    return any(words in line for line in server.log)
