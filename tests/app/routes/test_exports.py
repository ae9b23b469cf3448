"""GET /versions/{version}/export."""

import base64
import hashlib
import sys

import httpx
import pytest

from app.serving.exports import KEPT
from app.settings import Settings
from inkling.exports.formats import FORMATS, export
from inkling.exports.network import PortableNetwork
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.networks import with_random_parameters
from tests.support.services import publish

pytestmark = pytest.mark.anyio


async def test_every_format_is_downloaded(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    assert len(FORMATS) > KEPT  # so the first is written twice
    for format_name in (*FORMATS, FORMATS[0]):
        expected = export(PortableNetwork(shipped, 1, "f32"), format_name)
        for method in ("GET", "HEAD"):
            response = await client.request(method, "/versions/1/export", params={"format": format_name})
            assert response.status_code == 200
            assert response.content == (expected.content if method == "GET" else b"")
            assert response.headers["content-type"] == "application/octet-stream"
            assert response.headers["content-disposition"] == f'attachment; filename="{expected.name}"'
            assert response.headers["etag"] == f'"{expected.digest}"'
            digest = base64.b64encode(hashlib.sha256(expected.content).digest()).decode()
            assert response.headers["content-digest"] == f"sha-256=:{digest}:"


async def test_halves_are_downloaded(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    response = await client.get("/versions/1/export?format=npz&weights=f16")
    assert response.content == export(PortableNetwork(shipped, 1, "f16"), "npz").content


@pytest.mark.parametrize("query", ["", "?format=", "?format=pickle", "?format=savedmodel", "?format=ONNX"])
async def test_unknown_format_is_refused_with_those_that_there_are(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/versions/1/export{query}")
    assert response.status_code == 422
    assert "format" in response.json()["detail"]
    if "=" in query:
        assert "'onnx', 'c', 'js', 'npz' or 'safetensors'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/versions/7/export?format=c", 404, "there is no version 7"),
        ("/versions/x/export?format=c", 422, "version"),
        ("/versions/1/export?format=c&weights=int8", 422, "'f32' or 'f16'"),
        ("/versions/1/export?format=c&weight=f16", 422, "weights"),
    ],
)
async def test_wrong_request_is_refused(client: httpx.AsyncClient, path: str, status: int, words: str) -> None:
    response = await client.get(path)
    assert response.status_code == status
    assert words in response.json()["detail"]


async def test_version_that_cannot_be_exported_is_refused(
    client: httpx.AsyncClient, registry: Registry, settings: Settings, shipped: Checkpoint
) -> None:
    version = publish(registry, with_random_parameters(shipped, 1e5), promoted=False)
    response = await client.get(f"/versions/{version}/export?format=js&weights=f16")
    assert response.status_code == 422
    assert response.json()["title"] == "The version cannot be exported so"
    assert "export it with f32 weights" in response.json()["detail"]


async def test_missing_package_is_named(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "inkling.exports.onnx_model", raising=False)
    response = await client.get("/versions/1/export?format=onnx")
    assert response.status_code == 501
    assert response.json()["title"] == "A package is not installed"
    assert "pip install '.[onnx]'" in response.json()["detail"]
