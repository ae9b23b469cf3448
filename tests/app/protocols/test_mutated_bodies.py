"""Requests that are nearly right: each is answered, or refused as an error of the client's in the protocol's shape."""

import base64
import json
import logging

import httpx
import pytest

from app.settings import Settings
from benchmarks import mutated_grpc
from benchmarks.mutated_requests import send_all
from inkling.digit import Gray
from tests.app.protocols.test_invocations import documents
from tests.support.bodies import image_file
from tests.support.mutations import mutations
from tests.support.ports import free_port
from tests.support.services import connect

pytestmark = pytest.mark.anyio


async def check_all(client: httpx.AsyncClient, path: str, bodies: list[bytes], seed: int, keys: set[str]) -> None:
    """Send 1,000 mutated bodies, and check each answer."""
    statuses = set()
    for number, body in enumerate(mutations(bodies, 1000, seed)):
        response = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        statuses.add(response.status_code)
        assert response.status_code in (200, 400, 404, 413, 415, 422), (number, body[:200], response.text)
        if response.status_code != 200:
            assert response.json().keys() >= keys, response.text
    assert {200, 400} <= statuses


async def test_mutated_bodies_of_tensorflow_serving(client: httpx.AsyncClient, digits: Gray) -> None:
    file = base64.b64encode(image_file(digits[3])).decode()
    bodies = [
        {"signature_name": "serving_default", "instances": (digits[:2, 10:12] / 255).tolist()},
        {"instances": digits[:2].reshape(-1, 784).tolist()},
        {"inputs": {"images": (digits[:1] / 255).round(2).tolist()}, "parameters": {"fit": "strict"}},
        {"signature_name": "serving_files", "instances": [{"b64": file}, {"b64": file}]},
        {"instances": [{"image": {"b64": file}}, {"data": file}]},
    ]
    encoded = [json.dumps(body).encode() for body in bodies]
    await check_all(client, "/v1/models/mnist:predict", encoded, 1, {"error"})


async def test_mutated_bodies_of_invocations(client: httpx.AsyncClient, digits: Gray) -> None:
    encoded = [json.dumps(document).encode() for document in documents(digits[:1]).values()]
    await check_all(client, "/invocations", [*encoded, image_file(digits[3])], 2, {"error"})


async def test_mutated_bodies_of_hugging_face(client: httpx.AsyncClient, digits: Gray) -> None:
    file = base64.b64encode(image_file(digits[3])).decode()
    bodies = [{"inputs": file}, {"inputs": file, "parameters": {"top_k": 3, "function_to_apply": "softmax"}}]
    encoded = [json.dumps(body).encode() for body in bodies]
    await check_all(client, "/predict?as=labels", encoded, 3, {"title", "detail"})


async def test_mutated_requests_of_open_inference(client: httpx.AsyncClient) -> None:
    statuses = await send_all(client, "open inference v2", 2000, 4)
    assert {200, 400, 404, 415} <= statuses.keys()


async def test_mutated_calls_of_grpc(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    async with connect(settings.model_copy(update={"grpc_port": port})):
        for name in mutated_grpc.CALLS:
            codes = await mutated_grpc.send_all_calls(port, name, 700, 5)
            assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= codes.keys()
        assert (await mutated_grpc.send_all_connections(port, 300, 6))["answered"] > 290
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
