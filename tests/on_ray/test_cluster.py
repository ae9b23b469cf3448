"""deploy/ray on two nodes: replicas follow promotions, tasks train, what is killed comes back. `make ray` runs it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs Ray: make ray")

import yaml

from app.cli import main as inkling
from benchmarks import ray_cluster
from benchmarks.many_images import write_parquet
from benchmarks.ray_cluster import PNG, REPLICA, STEPS, TRAINER, TwoNodes, pids, wait_until
from inkling.errors import InklingError
from inkling.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own
ROOT = Path(__file__).parents[2]
"""Ray Serve is imported inside the tests: it reads its variables when it is imported, and the cluster sets them."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with ray_cluster.running_cluster() as cluster:
        yield cluster


def versions_of(cluster: TwoNodes, requests: int = 20) -> set[str]:
    """Return the versions that answer: each request has a connection of its own, so all replicas take part."""
    answers = [cluster.call("POST", "/predict", PNG, **{"Content-Type": "image/png"}) for _ in range(requests)]
    assert {status for status, _, _ in answers} == {200}
    digit = Predictor.load().predict_files([ROOT / "docs/digits/7.png"]).digits[0]
    assert all(
        f'"digit":{digit}'.encode() in content for _, headers, content in answers if headers["x-model-version"] == "1"
    )
    return {headers["x-model-version"] for _, headers, _ in answers}


def test_every_replica_follows_the_promotion_of_a_version_that_a_task_trained(cluster: TwoNodes) -> None:
    assert versions_of(cluster) == {"1"}
    run_id = cluster.train(200)
    cluster.wait_for_run(run_id)
    run = cluster.registry.runs.get(run_id)
    assert (run.state, run.version) == ("succeeded", 2)
    wait_until(lambda: versions_of(cluster) == {"2"}, "version 2 from all replicas")


def test_run_of_a_killed_task_goes_on_in_its_retry(cluster: TwoNodes) -> None:
    run_id = cluster.train(STEPS)
    cluster.wait_for_snapshot(run_id)
    os.kill(pids(TRAINER)[0], signal.SIGKILL)
    cluster.wait_for_run(run_id)
    run = cluster.registry.runs.get(run_id)
    assert (run.state, run.attempt) == ("succeeded", 2)


def test_killed_replica_is_replaced(cluster: TwoNodes) -> None:
    killed = pids(REPLICA)[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in pids(REPLICA) and len(pids(REPLICA)) == 2, "new replica")
    newest = cluster.registry.versions.newest(1)[0].version
    wait_until(lambda: versions_of(cluster) == {str(newest)}, "answers of all replicas")


def test_bulk_job_on_ray_writes_the_same_bytes(
    cluster: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    write_parquet(tmp_path / "images.parquet", 40_000)
    (tmp_path / "bad.png").write_bytes(b"no image")
    inputs = [str(tmp_path / "images.parquet"), str(tmp_path / "bad.png"), str(ROOT / "docs/digits")]
    monkeypatch.setenv("RAY_ADDRESS", cluster.cluster.address)
    assert inkling(["predict", *inputs, "--out", str(tmp_path / "here.csv")]) == 1
    assert inkling(["predict", *inputs, "--out", str(tmp_path / "ray.csv"), "--engine", "ray", "--processes", "1"]) == 1
    ray.shutdown()
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_replica_refuses_a_registry_or_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy.ray.serving import create_replica

    for name in ("INKLING_HOST", "INKLING_TRAINER", "INKLING_WORKERS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that they are put back
    with pytest.raises(InklingError, match="INKLING_DATABASE_URL=postgresql"):
        create_replica()
    monkeypatch.setenv("INKLING_DATABASE_URL", "postgresql://inkling@127.0.0.1/inkling")
    with pytest.raises(InklingError, match="INKLING_API_KEY"):
        create_replica()


def test_config_file_is_one_of_serve() -> None:
    from ray.serve.schema import ServeDeploySchema

    config = ServeDeploySchema.model_validate(yaml.safe_load((ROOT / "deploy/ray/serve.yaml").read_text()))
    assert [application.name for application in config.applications] == ["inkling", "trainers"]
