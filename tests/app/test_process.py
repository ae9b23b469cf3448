"""Real server processes: what they map, hold, follow, and how they end."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.app.serving.test_current_version import replace_content
from tests.support.bodies import JSON, PNG, RAW, image_file, images_json
from tests.support.servers import Server, start_server
from tests.support.services import eventually, open_registry, publish, retrained

linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")

MAX_RESIDENT_KB = 130_000


def maps(process: int) -> str:
    """Return what a process has in its memory, in lower case."""
    return Path(f"/proc/{process}/maps").read_text().lower()


def resident_kb(process: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert match
    return int(match[1])


def predict(client: httpx.Client, images: NDArray[np.uint8]) -> httpx.Response:
    response = client.post("/predict", content=images.tobytes(), headers={"Content-Type": RAW})
    assert response.status_code == 200
    return response


def served(client: httpx.Client) -> int:
    return int(predict(client, np.zeros((1, 28, 28), np.uint8)).headers["x-model-version"])


@linux
@pytest.mark.unmeasured
def test_server_stays_small_and_maps_no_tensorflow(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, server.client() as client:
        for _ in range(24):
            predict(client, np.concatenate([digits] * 20))
        for i in range(200):
            digit = digits[i % 20]
            for body, content_type in ((image_file(digit), PNG), (images_json(digit), JSON)):
                assert client.post("/predict", content=body, headers={"Content-Type": content_type}).is_success
        exposition = client.get("/metrics?format=prometheus").text
        assert "inkling_images_total 10000.0" in exposition
        assert client.get("/docs").is_success
        mapped = maps(server.process.pid)
        assert "numpy" in mapped  # so that the next lines could fail
        for library in ("tensorflow", "keras", "jax", "torch"):
            assert library not in mapped
        assert resident_kb(server.process.pid) < MAX_RESIDENT_KB


def test_server_ends_at_sigterm_with_0(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, server.client() as client:
        served(client)
        server.process.send_signal(signal.SIGTERM)  # an idle connection is open
        assert server.process.wait(10) == 0
    assert not [line for line in server.log if "Traceback" in line or "ERROR" in line]


def test_server_ends_at_ctrl_c_with_0(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
    assert not [line for line in server.log if "Traceback" in line]


def test_server_killed_at_any_time_starts_again_with_its_versions(tmp_path: Path, shipped: Checkpoint) -> None:
    data_dir = tmp_path / "data"
    with start_server(data_dir, "--trainer", "external") as server, server.client() as client:
        with open_registry(Settings(data_dir=data_dir)) as registry:
            publish(registry, retrained(shipped, 2))
        client.post("/train")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with start_server(data_dir, "--trainer", "external") as server, server.client() as client:
        assert served(client) == 2
        assert [run["state"] for run in client.get("/train").json()["items"]] == ["queued", "succeeded"]


@linux
@pytest.mark.train
def test_trained_version_is_served_without_a_restart_and_rolled_back(server: Server) -> None:
    with server.client() as client:
        assert served(client) == 1
        overrides = {"training_steps": 200, "batch_size": 64, "validation_size": 200, "learning_rate": 0.01}
        response = client.post("/train", json={"overrides": overrides, "promote": "always"})
        location = response.headers["location"]
        eventually(lambda: client.get(location).json()["state"] not in ("queued", "running"), "the run's end")
        run = client.get(location).json()
        assert (run["state"], run["error"], run["version"]) == ("succeeded", None, 2)
        eventually(lambda: served(client) == 2, "version 2 is served")
        report = client.get("/metrics").json()
        assert (report["version"], report["total"], report["dataset"]) == (2, 500, "custom")
        assert report["accuracy"] > 0.2
        assert client.get("/versions/2").json()["digest"] == report["digest"]
        assert client.put("/versions/current", json={"version": 1}).is_success
        assert served(client) == 1
        assert "tensorflow" not in maps(server.process.pid)


def test_two_servers_on_one_data_directory_follow_each_other(tmp_path: Path, shipped: Checkpoint) -> None:
    data_dir = tmp_path / "data"
    arguments = ("--trainer", "external", "--registry-poll-s", "0.05")
    with (
        start_server(data_dir, *arguments) as first,
        start_server(data_dir, *arguments) as second,
        first.client() as first_client,
        second.client() as second_client,
        open_registry(Settings(data_dir=data_dir)) as registry,
    ):
        assert [item["version"] for item in second_client.get("/versions").json()["items"]] == [1]
        publish(registry, retrained(shipped, 2), promoted=False)
        first_client.put("/versions/current", json={"version": 2})
        assert served(first_client) == 2
        eventually(lambda: served(second_client) == 2, "the second server follows")
        second_client.put("/versions/current", json={"version": 1})
        eventually(lambda: served(first_client) == 1, "the first server follows")
        location = first_client.post("/train").headers["location"]
        assert second_client.get(location).json()["state"] == "queued"


def test_damaged_version_is_replaced_by_one_that_loads(
    tmp_path: Path, shipped: Checkpoint, digits: NDArray[np.uint8]
) -> None:
    # given: the promoted version is damaged, and another is good
    settings = Settings(data_dir=tmp_path / "data")
    damaged, good = retrained(shipped, 3), retrained(shipped, 2)
    with open_registry(settings) as registry:
        registry.versions.add_first(damaged)
        registry.versions.add_upload(good)
    replace_content(settings, 1, damaged.content[:-8] + bytes(8))
    # when
    arguments = ("--trainer", "external", "--registry-poll-s", "0.05")
    with start_server(settings.data_dir, *arguments) as server, server.client() as client:
        # then: the good one answers, and the probe says why
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["version"]) == (200, 2)
        assert ready.json()["refused"].startswith("version 1 is refused: its SHA-256 is ")
        assert client.get("/versions/current").json()["version"] == 1
        # and nothing is refused any more once it is promoted
        assert client.put("/versions/current", json={"version": 2}).is_success
        ready = client.get("/readyz").json()
        assert (ready["status"], ready["version"], ready["refused"]) == ("ready", 2, None)
        # and goes on with it when the damaged one is promoted again
        assert client.put("/versions/current", json={"version": 1}).is_success
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["version"]) == (200, 2)
        assert ready.json()["refused"].startswith("version 1 is refused: its SHA-256 is ")
        answer = client.post("/predict", content=digits[0].tobytes(), headers={"Content-Type": RAW})
        expected = Classifier(good, 2).probabilities(digits[:1])[0]
        assert (np.float32(answer.json()["predictions"][0]["probabilities"]) == expected).all()
    assert "Traceback" not in "\n".join(server.log)


def test_two_servers_that_start_at_once_share_one_first_version_and_one_key(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    arguments = ("--trainer", "external", "--host", "0.0.0.0")
    with ExitStack() as stack, ThreadPoolExecutor(3) as threads:
        servers = list(threads.map(lambda _: stack.enter_context(start_server(data_dir, *arguments)), range(3)))
        key = (data_dir / "api_key").read_text()
        for server in servers:
            with server.client() as client:
                assert [item["version"] for item in client.get("/versions").json()["items"]] == [1]
                assert len(client.get("/promotions").json()["items"]) == 1
                assert client.post("/train", headers={"Authorization": f"Bearer {key}"}).status_code == 202
