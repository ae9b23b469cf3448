"""The Open Inference Protocol, version 2: health, metadata, statistics, repository; errors of any kind below /v2."""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.main import create_app
from app.settings import Settings
from inkling import __version__
from inkling.digit import Gray
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.services import connect, publish, retrained

pytestmark = pytest.mark.anyio

INFER = "/v2/models/mnist/infer"
RAW = {"Inference-Header-Content-Length": "0"}


def refused(response: httpx.Response, status: int, words: str) -> None:
    """Check an error in the shape that the clients of the protocol read."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"]
    assert response.json().keys() == {"error"}
    assert words in response.json()["error"]


async def test_server_and_models_describe_themselves(client: httpx.AsyncClient) -> None:
    for path in ("/v2", "/v2/"):
        assert (await client.get(path)).json() == {
            "name": "inkling",
            "version": __version__,
            "extensions": [
                "classification",
                "binary_tensor_data",
                "model_repository",
                "model_configuration",
                "statistics",
            ],
        }
    assert (await client.get("/v2/models")).json() == {"models": ["mnist", "mnist-files"]}
    outputs = [
        {"name": "scores", "datatype": "FP32", "shape": [-1, 10]},
        {"name": "digits", "datatype": "INT64", "shape": [-1]},
    ]
    for model, tensor in (("mnist", ("UINT8", [-1, 784])), ("mnist-files", ("BYTES", [-1]))):
        for path in (f"/v2/models/{model}", f"/v2/models/{model}/versions/1"):
            assert (await client.get(path)).json() == {
                "name": model,
                "versions": ["1"],
                "platform": "inkling_numpy",
                "inputs": [{"name": "images", "datatype": tensor[0], "shape": tensor[1]}],
                "outputs": outputs,
            }
        config = (await client.get(f"/v2/models/{model}/config")).json()
        assert (config["name"], config["max_batch_size"]) == (model, 10_000)
    assert config["input"] == [{"name": "images", "data_type": "TYPE_STRING", "dims": [1], "format": "FORMAT_NONE"}]


async def test_health_is_answered_by_get_and_head(client: httpx.AsyncClient, app: FastAPI) -> None:
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    assert (await client.get("/v2/models/mnist/versions/1/ready")).json() == {"name": "mnist", "ready": True}
    head = await client.head("/v2/health/ready")
    assert (head.status_code, head.content) == (200, b"")
    response = await client.post("/v2/health/live")
    refused(response, 405, "/v2/health/live does not take POST, only GET, HEAD")
    assert response.headers["Allow"] == "GET, HEAD"
    app.state.stopping.set()
    response = await client.get("/v2/health/ready")
    assert (response.status_code, response.json()["ready"]) == (503, False)
    assert "the server stops" in response.json()["error"]
    assert response.headers["Retry-After"] == "5"
    refused(await client.get("/v2/models/mnist/ready"), 503, "the server stops")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/nothing", "there is nothing at /v2/nothing"),
        ("/v2/models/resnet", "there is no model 'resnet'; there are 'mnist' and 'mnist-files'"),
        ("/v2/models/resnet/ready", "no model 'resnet'"),
        ("/v2/models/resnet/config", "no model 'resnet'"),
        ("/v2/models/mnist/versions/99", "there is no version 99"),
        ("/v2/models/mnist/versions/99999999999", "there is no version 99999999999"),
        ("/v2/models/mnist/versions/latest/ready", "there is no version 'latest'"),
        ("/v2/models/mnist/versions/-1/stats", "there is no version '-1'"),
        ("/v2/models/mnist/versions/²/config", "there is no version '²'"),
        ("/v2/trace/setting", "nothing at"),
        ("/v2/logging", "nothing at"),
    ],
)
async def test_what_is_unknown_is_a_404(client: httpx.AsyncClient, path: str, words: str) -> None:
    refused(await client.get(path), 404, words)


async def test_versions_are_those_of_the_registry(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint, digits: Gray
) -> None:
    other = publish(registry, retrained(shipped, 1), promoted=False)
    answers = {}
    for version in (1, other):
        path = f"/v2/models/mnist/versions/{version}"
        assert (await client.get(path)).json()["versions"] == ["1", str(other)]
        response = await client.post(f"{path}/infer", content=digits[:2].tobytes(), headers=RAW)
        assert response.status_code == 200
        answers[version] = response.content[-96:]
    assert answers[1] != answers[other]
    index = (await client.post("/v2/repository/index")).json()
    assert {"name": "mnist-files", "version": str(other), "state": "READY", "reason": ""} in index
    assert len(index) == 4


async def test_statistics_advance(client: httpx.AsyncClient, digits: Gray) -> None:
    before = (await client.get("/v2/models/mnist/stats")).json()["model_stats"]
    assert [(item["version"], item["inference_count"], item["last_inference"]) for item in before] == [("1", 0, 0)]
    await client.post(INFER, content=digits[:3].tobytes(), headers=RAW)
    await client.post(INFER, content=digits[:2].tobytes(), headers=RAW)
    assert (await client.post(INFER, content=b"x")).status_code == 400
    (after,) = (await client.get("/v2/models/mnist/versions/1/stats")).json()["model_stats"]
    assert (after["inference_count"], after["execution_count"]) == (5, 2)
    assert after["last_inference"] > 1_600_000_000_000
    counts = {name: item["count"] for name, item in after["inference_stats"].items()}
    assert counts == {
        "success": 2,
        "fail": 1,
        "queue": 2,
        "compute_input": 2,
        "compute_infer": 2,
        "compute_output": 2,
        "cache_hit": 0,
        "cache_miss": 0,
    }
    assert after["inference_stats"]["compute_infer"]["ns"] > 0
    names = [item["name"] for item in (await client.get("/v2/models/stats")).json()["model_stats"]]
    assert names == ["mnist", "mnist-files"]


async def test_images_are_counted_under_the_protocol_and_the_template(client: httpx.AsyncClient, digits: Gray) -> None:
    await client.post(INFER, content=digits[:3].tobytes(), headers=RAW)
    await client.post("/v2/models/invented/infer", content=b"")
    text = (await client.get("/metrics?format=prometheus")).text
    assert 'inkling_protocol_images_total{protocol="open_inference_v2"} 3.0' in text
    assert "inkling_images_total 3.0" in text
    assert 'route="/v2/models/mnist/infer",status="200",protocol="open_inference_v2"} 1.0' in text
    assert 'route="/v2/models/{model}/infer",status="404",protocol="open_inference_v2"} 1.0' in text
    assert "invented" not in text


@pytest.mark.parametrize("body", ["", "{}", '{"ready": true}', " "])
async def test_repository_is_listed_whatever_is_asked(client: httpx.AsyncClient, body: str) -> None:
    index = (await client.post("/v2/repository/index", content=body)).json()
    assert index == [
        {"name": name, "version": "1", "state": "READY", "reason": ""} for name in ("mnist", "mnist-files")
    ]


async def test_load_serves_what_was_promoted_a_moment_ago(settings: Settings, shipped: Checkpoint) -> None:
    app = create_app(settings.model_copy(update={"registry_poll_s": 60.0}))
    async with connect(app) as client:
        publish(app.state.registry, retrained(shipped, 1))
        answer = await client.post("/v2/repository/models/mnist/load", content=b"{}")
        assert answer.json() == {"name": "mnist", "load": True}
        assert app.state.current_version.predictor.version == 2


async def test_repository_refuses_what_it_does_not_do(client: httpx.AsyncClient) -> None:
    root = "/v2/repository/models"
    refused(await client.post("/v2/repository/index", content=b"[]"), 400, "the body is no object")
    refused(await client.post("/v2/repository/index", content=b"{"), 400, "the body is not JSON")
    refused(await client.post(f"{root}/resnet/load"), 404, "there is no model 'resnet'")
    refused(await client.post(f"{root}/mnist/load", content=b"x"), 400, "the body is not JSON")
    unload = await client.post(f"{root}/mnist/unload", json={"parameters": {"unload_dependents": False}})
    refused(unload, 400, "model 'mnist' cannot be unloaded")


async def test_load_and_unload_need_the_key_and_inference_does_not(settings: Settings, digits: Gray) -> None:
    async with connect(settings.model_copy(update={"api_key": SecretStr("a key for tests")})) as client:
        for name in ("load", "unload"):
            response = await client.post(f"/v2/repository/models/mnist/{name}", content=b"{}")
            refused(response, 401, "Authorization: Bearer KEY")
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await client.post("/v2/repository/index")).status_code == 200
        assert (await client.post(INFER, content=digits[0].tobytes(), headers=RAW)).status_code == 200


@pytest.mark.parametrize("memory", ["system", "cuda"])
async def test_shared_memory_is_refused_and_unregistered(client: httpx.AsyncClient, memory: str) -> None:
    root = f"/v2/{memory}sharedmemory"
    for path in (f"{root}/status", f"{root}/region/r/status"):
        assert (await client.get(path)).json() == []
    for path in (f"{root}/unregister", f"{root}/region/r/unregister"):
        response = await client.post(path)
        assert (response.status_code, response.content) == (200, b"")
    refused(await client.post(f"{root}/region/r/register", json={"key": "/x"}), 400, "does not use shared memory")


async def test_errors_of_every_layer_have_the_same_shape(settings: Settings, digits: Gray) -> None:
    limited = settings.model_copy(update={"max_body_bytes": 4096, "max_images": 3})
    async with connect(limited) as client:
        refused(await client.post(INFER, content=bytes(4097)), 413, "INKLING_MAX_BODY_BYTES")
        refused(await client.post(INFER, content=digits[:4].tobytes(), headers=RAW), 413, "the limit is 3")
        refused(await client.get("/v2", headers={"Host": "attacker.example"}), 403, "Host is 'attacker.example'")
        response = await client.post(INFER, content=b"x", headers={"Content-Encoding": "br"})
        refused(response, 415, "Content-Encoding is br, expected gzip, deflate, or none")
        assert response.headers["Accept-Encoding"] == "gzip, deflate"
    async with connect(settings.model_copy(update={"max_requests_per_minute": 1})) as client:
        await client.get("/v2")
        refused(await client.get("/v2"), 429, "INKLING_MAX_REQUESTS_PER_MINUTE")


async def test_unexpected_error_shows_no_internals(app: FastAPI, client: httpx.AsyncClient, digits: Gray) -> None:
    app.state.scoring = None
    response = await client.post(INFER, content=digits[0].tobytes(), headers=RAW)
    refused(response, 500, f"the server's log has the details under request id {response.headers['X-Request-ID']}")
