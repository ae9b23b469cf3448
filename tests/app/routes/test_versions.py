import base64
import gzip
import hashlib
import io
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import SecretStr

from app.settings import Settings
from inkling import mnist
from inkling.errors import ServedVersionError
from inkling.mnist import TEST_LABELS
from inkling.network import checkpoint
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.registry.registry import Registry
from tests.support.bodies import RAW
from tests.support.services import connect, publish, retrained

pytestmark = pytest.mark.anyio


@pytest.fixture
def second(client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint) -> Checkpoint:
    """A second version, published and not promoted."""
    new = retrained(shipped, 2)
    publish(registry, new, promoted=False)
    return new


async def test_shipped_network_is_version_1_of_a_new_registry(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    listed = (await client.get("/versions")).json()
    assert listed["next"] is None
    (version,) = listed["items"]
    assert (version["version"], version["run_id"], version["origin"]) == (1, None, "shipped")
    assert version["digest"] == shipped.digest
    assert version["evaluation"]["accuracy"] == shipped.card.evaluation.accuracy
    assert (await client.get("/versions/1")).json() == version


async def test_versions_are_listed_newest_first_a_page_at_a_time(client: httpx.AsyncClient, second: Checkpoint) -> None:
    first = (await client.get("/versions?limit=1")).json()
    assert ([item["version"] for item in first["items"]], first["next"]) == ([2], 2)
    last = (await client.get("/versions?limit=1&before=2")).json()
    assert [item["version"] for item in last["items"]] == [1]


async def test_checkpoint_is_downloaded_as_it_was_published(client: httpx.AsyncClient, second: Checkpoint) -> None:
    response = await client.get("/versions/2/checkpoint")
    assert response.content == second.content
    assert checkpoint.load(response.content).digest == second.digest
    assert (await client.get("/versions/2")).json()["size_bytes"] == len(second.content)
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="inkling-2.safetensors"'
    digest = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
    assert response.headers["content-digest"] == f"sha-256=:{digest}:"
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'


async def test_promoted_version_is_served_at_once_and_rolled_back(
    client: httpx.AsyncClient, second: Checkpoint
) -> None:
    for version in (2, 1):
        response = await client.put("/versions/current", json={"version": version})
        assert response.status_code == 200
        promotion = response.json()
        assert (promotion["version"], promotion["policy"]) == (version, "manual")
        assert promotion["reason"] == "asked for by PUT /versions/current"
        answer = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
        assert answer.json()["version"] == version
    listed = (await client.get("/promotions")).json()["items"]
    decided = [(item["version"], item["is_promoted"], item["compared_with"]) for item in listed]
    assert decided == [(1, True, 2), (2, True, 1), (2, False, 1), (1, True, None)]


async def test_promoting_the_served_version_again_changes_nothing(client: httpx.AsyncClient) -> None:
    response = await client.put("/versions/current", json={"version": 1})
    assert (response.status_code, response.json()["policy"]) == (200, "shipped")
    assert len((await client.get("/promotions")).json()["items"]) == 1


async def test_unknown_version_is_404_and_the_served_one_stays(client: httpx.AsyncClient) -> None:
    for response in (
        await client.get("/versions/7"),
        await client.get("/versions/7/checkpoint"),
        await client.put("/versions/current", json={"version": 7}),
    ):
        assert response.status_code == 404
        assert response.json()["detail"] == "there is no version 7; GET /versions lists them"
    assert (await client.get("/readyz")).json()["version"] == 1


@pytest.mark.parametrize("body", [{}, {"version": 0}, {"version": 2**31}, {"version": "x"}, {"version": 1, "to": 2}])
async def test_promotion_of_what_is_no_version_is_422(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.put("/versions/current", json=body)).status_code == 422


@pytest.mark.parametrize("version", ["0", "x", str(2**31)])
async def test_version_that_cannot_be_one_is_422(client: httpx.AsyncClient, version: str) -> None:
    assert (await client.get(f"/versions/{version}")).status_code == 422
    assert (await client.get(f"/versions/{version}/checkpoint")).status_code == 422


# upload


def file_of(shipped: Checkpoint, **changes: NDArray[np.float32]) -> bytes:
    """Return a checkpoint file with some parameters changed, which `checkpoint.save` would refuse."""
    parameters = {**shipped.parameters, **{name.replace("_", "/"): array for name, array in changes.items()}}
    return safetensors.numpy.save(parameters, metadata={"inkling": shipped.card.model_dump_json()})


async def test_uploaded_checkpoint_is_measured_on_the_test_images_and_not_served(
    client: httpx.AsyncClient, settings: Settings, shipped: Checkpoint
) -> None:
    # given: a network that has learned nothing, whose card claims the shipped one's score
    new = retrained(shipped, 2)
    # when
    response = await client.post("/versions", content=new.content)
    # then
    assert (response.status_code, response.headers["location"]) == (201, "/versions/2")
    version = response.json()
    assert (version["version"], version["run_id"], version["origin"]) == (2, None, "upload")
    assert version["digest"] == new.digest
    test = mnist.load_test(settings.mnist_dir, settings.data_dir)
    assert test
    read = Classifier(new, 0).probabilities(test.images).argmax(axis=1)
    assert (version["evaluation"]["correct"], version["evaluation"]["total"]) == ((read == test.labels).sum(), 500)
    assert (await client.get("/versions/2")).json() == version
    assert (await client.get("/versions/2/checkpoint")).content == new.content
    assert (await client.get("/readyz")).json()["version"] == 1
    assert [item["version"] for item in (await client.get("/promotions")).json()["items"]] == [1]
    # and it is served once it is promoted
    assert (await client.put("/versions/current", json={"version": 2})).is_success
    answer = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
    assert answer.headers["x-model-version"] == "2"


async def test_same_file_again_is_the_version_that_it_made(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    new = retrained(shipped, 2)
    first = await client.post("/versions", content=new.content)
    again = await client.post("/versions", content=new.content, headers={"Content-Type": RAW})
    assert (again.json(), again.headers["location"]) == (first.json(), "/versions/2")
    assert (await client.post("/versions", content=shipped.content)).json()["version"] == 1
    assert len((await client.get("/versions")).json()["items"]) == 2


async def test_file_that_is_no_checkpoint_is_refused_in_words_and_adds_nothing(
    client: httpx.AsyncClient, shipped: Checkpoint
) -> None:
    weights = shipped.parameters["weights/out"].copy()
    weights[3, 4] = np.nan
    huge = np.full_like(shipped.parameters["weights/out"], 3e38)
    flipped = bytearray(shipped.content)
    flipped[9] ^= 0xFF
    npz = io.BytesIO()
    np.savez(npz, weights=shipped.parameters["weights/out"])
    for content, words in (
        (b"", "not a safetensors file"),
        (b"not a checkpoint", "not a safetensors file"),
        (gzip.compress(b"x", mtime=0) + bytes(5 << 20), "bytes but a gzip file, expected at most 4194304"),
        (gzip.compress(b"x", mtime=0), "not a safetensors file of arrays but a gzip file: "),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "not a safetensors file of arrays but an HDF5 file, such as Keras's .h5: "),
        (npz.getvalue(), "not a safetensors file of arrays but an .npz file: "),
        (bytes(flipped), "not a safetensors file"),
        (shipped.content[:1000], "not a safetensors file"),
        (shipped.content[:-4], "not a safetensors file"),
        (shipped.content + bytes(4), "not a safetensors file"),
        (bytes(5 << 20), "5242880 bytes, expected at most 4194304"),
        (file_of(shipped, weights_out=weights), "weights/out holds values that are not finite"),
        (file_of(shipped, weights_out=huge, biases_out=np.full(10, 3e38, np.float32)), "probabilities add up to"),
        (file_of(shipped, weights_out=weights[:, :9]), "weights/out has shape (256, 9), expected (256, 10)"),
        (file_of(shipped, biases_out=np.zeros(10, np.float16)), "biases/out is float16, expected float32"),
        (file_of(shipped, biases_h9=weights), "holds ["),
        (safetensors.numpy.save(shipped.parameters), "has no card"),
    ):
        response = await client.post("/versions", content=content)
        assert response.status_code == 422, words
        assert response.json()["type"] == "/problems/not-a-checkpoint-of-this-network"
        assert words in response.json()["detail"]
    assert len((await client.get("/versions")).json()["items"]) == 1


async def test_upload_over_the_servers_own_limit_is_413(settings: Settings, shipped: Checkpoint) -> None:
    async with connect(settings.model_copy(update={"max_body_bytes": 100_000})) as client:
        assert (await client.post("/versions", content=shipped.content)).status_code == 413


async def test_upload_and_promotion_need_the_key(settings: Settings, shipped: Checkpoint) -> None:
    content = retrained(shipped, 2).content
    async with connect(settings.model_copy(update={"api_key": SecretStr("a-key-for-tests")})) as client:
        for headers in ({}, {"Authorization": "Bearer another"}):
            assert (await client.post("/versions", content=content, headers=headers)).status_code == 401
            assert (await client.put("/versions/current", json={"version": 1}, headers=headers)).status_code == 401
        assert len((await client.get("/versions")).json()["items"]) == 1
        key = {"Authorization": "Bearer a-key-for-tests"}
        assert (await client.post("/versions", content=content, headers=key)).status_code == 201


async def test_page_of_another_site_uploads_nothing(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    headers = {"Origin": "https://example.org"}
    response = await client.post("/versions", content=retrained(shipped, 2).content, headers=headers)
    assert response.status_code == 403
    assert len((await client.get("/versions")).json()["items"]) == 1


# which one is served


async def test_current_version_is_the_served_one_under_the_tag_of_its_promotion(
    client: httpx.AsyncClient, second: Checkpoint
) -> None:
    first = await client.get("/versions/current")
    assert first.json() == {**(await client.get("/versions/1")).json(), "promotion": 1}
    assert first.headers["etag"] == '"1"'
    promoted = await client.put("/versions/current", json={"version": 2})
    current = await client.get("/versions/current")
    assert current.json()["digest"] == second.digest
    assert current.headers["etag"] == promoted.headers["etag"] == f'"{promoted.json()["id"]}"'
    assert current.headers["etag"] != first.headers["etag"]


async def test_promotion_goes_through_if_nothing_moved(client: httpx.AsyncClient, second: Checkpoint) -> None:
    tag = (await client.get("/versions/current")).headers["etag"]
    for version in (2, 1, 2):
        response = await client.put("/versions/current", json={"version": version}, headers={"If-Match": tag})
        assert response.status_code == 200
        tag = response.headers["etag"]
    again = await client.put("/versions/current", json={"version": 2}, headers={"If-Match": tag})
    assert (again.status_code, again.headers["etag"]) == (200, tag)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize(
    "tag", ['"7"', '"0"', '""', '"x"', "", "x", 'W/"1"', '"1" "2"', '"-1"', '"99999999999"', '"²"']
)
async def test_promotion_is_refused_if_another_came_meanwhile(client: httpx.AsyncClient, tag: str) -> None:
    headers = {b"If-Match": tag.encode()}
    response = await client.put("/versions/current", json={"version": 2}, headers=headers)
    assert response.status_code == 412
    assert response.json()["type"] == "/problems/a-newer-promotion-exists"
    assert "GET /versions/current" in response.json()["detail"]
    assert (await client.get("/versions/current")).json()["version"] == 1


async def test_promotion_may_be_named_in_the_body(client: httpx.AsyncClient, second: Checkpoint) -> None:
    served = (await client.get("/versions/current")).json()
    body = {"version": 2, "if_promotion": served["promotion"]}
    assert (await client.put("/versions/current", json=body, headers={"If-Match": '"7"'})).status_code == 412
    assert (await client.put("/versions/current", json=body)).status_code == 200
    refused = await client.put("/versions/current", json={**body, "version": 1})
    assert refused.status_code == 412
    assert "if_promotion" in refused.json()["detail"]
    assert (await client.get("/versions/current")).json()["version"] == 2


@pytest.mark.usefixtures("second")
async def test_promotion_goes_through_if_one_of_several_tags_matches(client: httpx.AsyncClient) -> None:
    headers = {"If-Match": 'W/"9", "0", "1"'}
    assert (await client.put("/versions/current", json={"version": 2}, headers=headers)).is_success


@pytest.mark.parametrize("path", ["/versions/current", "/versions/1/checkpoint", "/versions/1/export?format=npz"])
async def test_known_answer_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    etag = (await client.get(path)).headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await client.get(path, headers={"If-None-Match": '"x"'})).status_code == 200


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("tag", ["*", " * "])
async def test_promotion_that_matches_anything_goes_through(client: httpx.AsyncClient, tag: str) -> None:
    assert (await client.put("/versions/current", json={"version": 2}, headers={"If-Match": tag})).is_success
    assert (await client.get("/versions/current")).json()["version"] == 2


@pytest.mark.usefixtures("second")
async def test_of_two_that_promote_on_the_same_knowledge_one_wins(client: httpx.AsyncClient) -> None:
    headers = {"If-Match": (await client.get("/versions/current")).headers["etag"]}
    answers = [await client.put("/versions/current", json={"version": 2}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]


async def test_damaged_test_images_are_no_mistake_of_the_uploaders(
    settings: Settings, shipped: Checkpoint, small_mnist_dir: Path, tmp_path: Path
) -> None:
    """The upload is refused with the reason: the server cannot measure it at the moment."""
    mnist_dir = Path(shutil.copytree(small_mnist_dir, tmp_path / "mnist"))
    (mnist_dir / TEST_LABELS).write_bytes(b"damaged")
    async with connect(settings.model_copy(update={"mnist_dir": mnist_dir})) as client:
        response = await client.post("/versions", content=retrained(shipped, 2).content)
        assert response.status_code == 503
        assert TEST_LABELS in response.json()["detail"]


def content_digest(content: bytes, algorithm: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


async def test_upload_with_its_digest_is_checked(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    content = retrained(shipped, 2).content
    right, wrong = content_digest(content), content_digest(b"another file")
    for header in (f"sha-256=:{wrong}:", f"sha-256=:{right}:, sha-512=:{wrong}:", "sha-256=abc", "sha-256=:a:", ""):
        response = await client.post("/versions", content=content, headers={"Content-Digest": header})
        assert (response.status_code, response.json()["title"]) == (400, "Content digest mismatch"), header
        assert "Content-Digest" in response.json()["detail"]
    assert len((await client.get("/versions")).json()["items"]) == 1
    encoded = {"Content-Digest": f"sha-256=:{right}:", "Content-Encoding": "gzip"}
    response = await client.post("/versions", content=gzip.compress(content), headers=encoded)
    assert response.status_code == 400
    assert "Content-Encoding gzip" in response.json()["detail"]
    header = f"md5=:AAAA:, sha-512=:{content_digest(content, 'sha512')}:, sha-256=:{right}:"
    response = await client.post("/versions", content=content, headers={"Content-Digest": header})
    assert response.status_code == 201


# deletion


async def test_deleted_version_is_gone_and_its_history_stays(client: httpx.AsyncClient, second: Checkpoint) -> None:
    # when
    response = await client.delete("/versions/2")
    # then
    assert (response.status_code, response.content) == (204, b"")
    for path in ("/versions/2", "/versions/2/checkpoint"):
        gone = await client.get(path)
        assert gone.status_code == 404
        assert gone.json()["detail"].startswith("version 2 was deleted at 20")
    assert (await client.delete("/versions/2")).status_code == 404
    assert (await client.put("/versions/current", json={"version": 2})).status_code == 404
    assert [item["version"] for item in (await client.get("/versions")).json()["items"]] == [1]
    assert [item["version"] for item in (await client.get("/promotions")).json()["items"]] == [2, 1]
    assert (await client.get("/train/1")).json()["version"] == 2
    # then: the same file is a new version
    assert (await client.post("/versions", content=second.content)).json()["version"] == 3


async def test_served_version_cannot_be_deleted(client: httpx.AsyncClient, registry: Registry) -> None:
    response = await client.delete("/versions/1")
    assert (response.status_code, response.json()["title"]) == (409, "The version is served")
    assert "promote another one first" in response.json()["detail"]
    with pytest.raises(ServedVersionError):
        registry.versions.delete(1)
    assert (await client.get("/versions/1")).status_code == 200


async def test_unknown_version_cannot_be_deleted(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/versions/7")).status_code == 404
    assert (await client.delete("/versions/0")).status_code == 422


async def test_deletion_needs_the_key(settings: Settings, second: Checkpoint) -> None:
    async with connect(settings.model_copy(update={"api_key": SecretStr("a long key")})) as client:
        assert (await client.delete("/versions/2")).status_code == 401
        assert (await client.delete("/versions/2", headers={"Authorization": "Bearer a long key"})).status_code == 204


async def test_quota_of_versions_names_its_limit_and_the_remedy(settings: Settings, shipped: Checkpoint) -> None:
    async with connect(settings.model_copy(update={"max_versions": 2})) as client:
        run = await client.post("/train", headers={"Idempotency-Key": "k"})
        assert (await client.post("/versions", content=retrained(shipped, 2).content)).status_code == 201
        for response in (
            await client.post("/versions", content=retrained(shipped, 3).content),
            await client.post("/train"),
        ):
            assert (response.status_code, response.json()["title"]) == (429, "Too many versions")
            assert "there are 2 versions, the limit is 2; make room with DELETE" in response.json()["detail"]
        again = await client.post("/train", headers={"Idempotency-Key": "k"})
        assert again.json()["id"] == run.json()["id"]
        assert (await client.delete("/versions/2")).status_code == 204
        assert (await client.post("/versions", content=retrained(shipped, 3).content)).status_code == 201
