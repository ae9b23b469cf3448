import httpx
import numpy as np
import pytest
import safetensors.numpy

from inkling.digit import Floats
from inkling.network.checkpoint import Checkpoint
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import Decision, Snapshot
from inkling.registry.registry import Registry
from tests.support.events import claim
from tests.support.networks import random_parameters

pytestmark = pytest.mark.anyio


def read(response: httpx.Response) -> Floats:
    """Return the weights (784, 128) of an answer."""
    largest = float(response.headers["x-largest-weight"])
    return np.frombuffer(response.content, np.int8).reshape(128, 784).T * np.float32(largest / 127)


async def test_weights_are_those_of_the_last_snapshot_then_as_shown_and_then_of_the_version(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    # given: a run without a snapshot
    run = claim(registry)
    assert (await client.get("/train/1/weights")).status_code == 204
    # when
    parameters = random_parameters(3)
    registry.runs.save_snapshot(run, Snapshot(100, safetensors.numpy.save(parameters)))
    response = await client.get("/train/1/weights?after=99")
    # then
    assert response.headers["x-step"] == "100"
    step = np.abs(parameters["weights/h1"]).max() / 127
    np.testing.assert_allclose(read(response), parameters["weights/h1"], rtol=0, atol=0.51 * step)
    assert (await client.get("/train/1/weights?after=100")).status_code == 204
    # when: the averages are what would be served
    averages = {**parameters, "averages/weights/h1": -parameters["weights/h1"]}
    registry.runs.save_snapshot(run, Snapshot(200, safetensors.numpy.save(averages)))
    assert read(await client.get("/train/1/weights"))[0, 0] == -read(response)[0, 0]
    # when: its trainer shows newer ones
    shown = FirstLayer.from_tensors(250, random_parameters(4))
    registry.runs.show_first_layer(run, shown)
    response = await client.get("/train/1/weights?after=200")
    assert (response.headers["x-step"], response.content) == ("250", shown.content)
    assert response.headers["x-largest-weight"] == f"{shown.largest:.6g}"
    assert (await client.get("/train/1/weights?after=250")).status_code == 204
    # when: it ends
    registry.publish(run, shipped, lambda served: Decision(False, "a test"))
    response = await client.get("/train/1/weights")
    # then
    assert response.headers["x-step"] == "3000"
    step = np.abs(shipped.parameters["weights/h1"]).max() / 127
    np.testing.assert_allclose(read(response), shipped.parameters["weights/h1"], rtol=0, atol=0.51 * step)


async def test_weights_of_a_run_that_is_not_there_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/train/1/weights")).status_code == 404
    assert (await client.get("/train/1/weights?after=-1")).status_code == 422
