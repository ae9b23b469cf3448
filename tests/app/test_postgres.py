"""The service on a real PostgreSQL: two servers with folders of their own share one registry."""

from pathlib import Path

import pytest

from inkling.network.checkpoint import Checkpoint
from tests.support.servers import start_server
from tests.support.services import eventually, retrained

pytestmark = pytest.mark.unmeasured


@pytest.mark.train
def test_two_servers_train_promote_and_follow_on_one_postgresql(
    postgres_url: str, tmp_path: Path, small_mnist_dir: Path, shipped: Checkpoint
) -> None:
    # given
    environment = {"INKLING_DATABASE_URL": postgres_url, "INKLING_MNIST_DIR": str(small_mnist_dir)}
    with (
        start_server(tmp_path / "first", **environment) as first,
        start_server(tmp_path / "second", "--trainer", "external", **environment) as second,
        first.client() as one,
        second.client() as other,
    ):
        # then: they share the first version
        for client in (one, other):
            assert [item["origin"] for item in client.get("/versions").json()["items"]] == ["shipped"]

        # when: a version is uploaded to one and promoted by the other
        assert one.post("/versions", content=retrained(shipped, 2).content).json()["version"] == 2
        tag = one.get("/versions/current").headers["etag"]
        body, headers = {"version": 2}, {"If-Match": tag}
        assert other.put("/versions/current", json=body, headers=headers).is_success
        # then: the first follows, and a client that knew the old state is refused
        eventually(lambda: one.get("/readyz").json()["version"] == 2, "the first server follows")
        assert one.put("/versions/current", json={"version": 1}, headers=headers).status_code == 412

        # when: a run is asked for at the server that starts no trainer
        overrides = {"training_steps": 200, "batch_size": 64, "validation_size": 200, "learning_rate": 0.01}
        request = {"overrides": overrides, "promote": "always"}
        location = other.post("/train", json=request, headers={"Idempotency-Key": "once"}).headers["location"]
        again = one.post("/train", json=request, headers={"Idempotency-Key": "once"})
        assert again.headers["location"] == location
        eventually(lambda: one.get(location).json()["state"] not in ("queued", "running"), "the run's end")
        # then: the other's trainer trained it once, and both serve what it made
        run = other.get(location).json()
        assert (run["state"], run["error"], run["attempt"], run["version"]) == ("succeeded", None, 1, 3)
        eventually(lambda: one.get("/readyz").json()["version"] == 3, "version 3 from the first")
        eventually(lambda: other.get("/readyz").json()["version"] == 3, "version 3 from the second")
    assert not list((tmp_path / "first").glob("*.db*"))
    for server in (first, second):
        assert server.process.returncode == 0
        assert "Traceback" not in "\n".join(server.log)
