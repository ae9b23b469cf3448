import pytest

from app.observability.exposition import Exposition
from app.observability.metrics import Metrics
from app.observability.registry_figures import RegistryFigures
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision, Snapshot
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.postgres import BACKENDS


def samples(figures: RegistryFigures, metrics: Metrics) -> dict[str, float]:
    text = Exposition(metrics, figures).encode("text/plain", None)[0].decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


@pytest.mark.parametrize("backend", BACKENDS)
def test_figures_are_those_of_the_registry(registry: Registry, store: StoreSettings, checkpoint: Checkpoint) -> None:
    # given: a run that succeeded, one that failed, one that was cancelled in the queue, one that runs, one that waits
    store.data_dir.mkdir(parents=True, exist_ok=True)
    registry.versions.add_first(checkpoint)
    for _ in range(5):
        registry.runs.queue(TUTORIAL, "always", max_queued=10)
    for run_id in (1, 2):
        lease = registry.runs.claim(lease_s=30, owner="a test")
        assert lease is not None
        if run_id == 1:
            registry.publish(lease, checkpoint, lambda served: Decision(is_promoted=True, reason="it is new"))
        else:
            registry.runs.fail(lease, "diverged", "NaN")
    registry.runs.cancel(3)
    lease = registry.runs.claim(lease_s=30, owner="a test")
    assert lease is not None
    registry.runs.save_snapshot(lease, Snapshot(100, b"state"))
    # when
    metrics = Metrics()
    figures = RegistryFigures(registry, metrics, store.data_dir, lambda: False)
    assert not any(name.startswith("inkling_runs") for name in samples(figures, metrics))
    figures.read()
    figures.read()  # counts no run twice
    found = samples(figures, metrics)
    # then
    states = {"queued": 1, "running": 1, "succeeded": 1, "failed": 1, "cancelled": 1}
    assert {state: found[f'inkling_runs{{state="{state}"}}'] for state in states} == states
    assert (found["inkling_run_queue_length"], found["inkling_run_snapshots"], found["inkling_trainer_alive"]) == (
        1,
    ) * 3
    assert 0 < found["inkling_run_queue_oldest_age_seconds"] < 600
    for state in ("succeeded", "failed"):
        assert found[f'inkling_run_duration_seconds_count{{state="{state}"}}'] == 1
        run = registry.runs.get(1 if state == "succeeded" else 2)
        assert run.finished_at is not None
        ended = found[f'inkling_run_last_end_timestamp_seconds{{state="{state}"}}']
        assert ended == pytest.approx(run.finished_at.timestamp())
    assert found["inkling_versions"] == 2
    assert found["inkling_versions_bytes"] == 2 * len(checkpoint.content) < found["inkling_registry_bytes"]
    assert found["inkling_data_dir_free_bytes"] > 0
    assert found['inkling_database_connections{state="idle"}'] >= 1
    # when: the others end
    registry.runs.release(lease)
    registry.runs.cancel(4)
    registry.runs.cancel(5)
    figures.read()
    found = samples(figures, metrics)
    assert found['inkling_run_duration_seconds_count{state="cancelled"}'] == 1
    assert found["inkling_run_queue_oldest_age_seconds"] == 0


def test_errors_of_the_database_are_counted_by_kind(registry: Registry, store: StoreSettings) -> None:
    metrics = Metrics()
    figures = RegistryFigures(registry, metrics, store.data_dir, lambda: True)
    with registry._database.write() as connection:
        connection.exec_driver_sql("DROP TABLE run_progress")
        connection.exec_driver_sql("DROP TABLE run_snapshots")
    with pytest.raises(Exception, match="run_snapshots"):
        figures.read()
    assert samples(figures, metrics)['inkling_database_errors_total{kind="OperationalError"}'] == 1
