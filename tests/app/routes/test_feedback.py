"""POST /feedback and what becomes of it."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from app.settings import Settings
from inkling.digit import Images
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, form, image_file, npy_file
from tests.support.mutations import mutations
from tests.support.networks import with_digit_probe
from tests.support.services import connect, eventually_answers, open_registry, publish, retrained

pytestmark = pytest.mark.anyio


@pytest.fixture
def open_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"feedback": "on"})


@pytest.fixture
async def open_client(open_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(open_settings) as client:
        yield client


async def correct(client: httpx.AsyncClient, images: Images, **params: Any) -> httpx.Response:
    return await client.post("/feedback", content=npy_file(images), headers={"Content-Type": NPY}, params=params)


def pixels(item: dict[str, Any]) -> Images:
    file = io.BytesIO(base64.b64decode(item["image"].partition(",")[2]))
    return np.asarray(Image.open(file))


async def test_feedback_is_off_until_a_setting_allows_it(client: httpx.AsyncClient, digits: Images) -> None:
    body: dict[str, Any] = {"content": npy_file(digits[:1]), "headers": {"Content-Type": NPY}}
    for response in (
        await client.post("/feedback?label=7", **body),
        await client.post("/predict?remember=true", **body),
        await client.get("/feedback"),
        await client.delete("/feedback/1"),
    ):
        assert response.status_code == 403
        assert response.json()["title"] == "Feedback is off"
        assert "INKLING_FEEDBACK=on" in response.json()["detail"]
    assert (await client.get("/metrics")).json()["feedback"] is None


async def test_picture_with_its_true_digit_is_kept(open_client: httpx.AsyncClient, digits: Images) -> None:
    # given
    body: dict[str, Any] = {"content": image_file(digits[0]), "headers": {"Content-Type": PNG}}
    prediction = (await open_client.post("/predict", **body)).json()
    digit = prediction["predictions"][0]["digit"]
    # when
    params: dict[str, Any] = {"label": (digit + 1) % 10, "source": "anna"}
    response = await open_client.post("/feedback", params=params, **body)
    # then
    assert (response.status_code, response.headers["location"]) == (201, "/feedback/1")
    (item,) = response.json()["items"]
    assert (item["label"], item["digit"], item["version"]) == (str((digit + 1) % 10), digit, prediction["version"])
    assert (item["is_correct"], item["source"]) == (False, "anna")
    assert item["confidence"] == pytest.approx(prediction["predictions"][0]["confidence"])
    np.testing.assert_array_equal(pixels(item), digits[0])
    assert (await open_client.get("/feedback/1")).json() == item
    assert "127.0.0.1" not in response.text


async def test_several_images_take_a_label_each(open_client: httpx.AsyncClient, digits: Images) -> None:
    labels = "7,none,3"
    items = (await correct(open_client, digits[:3], label=labels)).json()["items"]
    assert [item["label"] for item in items] == labels.split(",")
    response = await correct(open_client, digits[:2], label=labels)
    assert response.status_code == 422
    assert "the body holds 2 images, `label` 3" in response.json()["detail"]


async def test_picture_of_any_size_is_kept_as_the_network_read_it(
    open_client: httpx.AsyncClient, digits: Images
) -> None:
    picture = 255 - np.kron(digits[0], np.ones((8, 8), np.uint8))
    (item,) = (await correct(open_client, picture[np.newaxis], label=7, fit="mnist")).json()["items"]
    assert pixels(item).shape == (28, 28)
    assert pixels(item)[0, 0] == 0


async def test_remembered_prediction_is_corrected_by_its_id(open_client: httpx.AsyncClient, digits: Images) -> None:
    # given
    body: dict[str, Any] = {"content": npy_file(digits[:2]), "headers": {"Content-Type": NPY}}
    plain = (await open_client.post("/predict", **body)).json()["predictions"]
    answers = (await open_client.post("/predict?remember=true", **body)).json()["predictions"]
    ids = [answer.pop("prediction_id") for answer in answers]
    assert answers == plain
    # when
    for label in ("1", "none"):
        response = await open_client.post("/feedback", params={"prediction_id": ids[1], "label": label})
        assert response.status_code == 201, response.text
    # then
    (item,) = (await open_client.get("/feedback")).json()["items"]
    assert (item["label"], item["digit"]) == ("none", plain[1]["digit"])
    np.testing.assert_array_equal(pixels(item), digits[1])
    # and: a body beside it, or an id that nobody has, is refused
    assert (await correct(open_client, digits[:1], label=1, prediction_id=ids[0])).status_code == 422
    response = await open_client.post("/feedback", params={"prediction_id": "guessed", "label": 1})
    assert (response.status_code, response.json()["title"]) == (404, "No such prediction")


async def test_remembered_answers_obey_the_other_parameters(
    open_settings: Settings, shipped: Checkpoint, digits: Images
) -> None:
    with open_registry(open_settings) as registry:
        publish(registry, with_digit_probe(shipped, bias=-400.0))
    async with connect(open_settings) as client:
        body: dict[str, Any] = {"content": npy_file(digits), "headers": {"Content-Type": NPY}}
        refused = await client.post("/predict?remember=true&none=refuse", **body)
        assert refused.json()["title"] == "No single digit in the picture"
        fitted = await client.post("/predict?remember=true&fit=mnist&return_image=true", **body)
        assert {"prediction_id", "normalized"} <= fitted.json()["predictions"][0].keys()
        npy = await client.post("/predict?remember=true", **{**body, "headers": {**body["headers"], "Accept": NPY}})
        assert npy.status_code == 422
        many = {"content": npy_file(np.repeat(digits, 6, axis=0)), "headers": body["headers"]}
        assert "at most 100 images" in (await client.post("/predict?remember=true", **many)).json()["detail"]
        # and: an image that shows no digit, as the version said, was answered right
        (item,) = (await correct(client, digits[:1], label="none")).json()["items"]
        assert item["is_correct"] is True


async def test_corrections_are_listed_by_page_and_filter(open_client: httpx.AsyncClient, digits: Images) -> None:
    predictions = (
        await open_client.post("/predict", content=npy_file(digits[:4]), headers={"Content-Type": NPY})
    ).json()["predictions"]
    read = [str(prediction["digit"]) for prediction in predictions]
    await correct(open_client, digits[:4], label=",".join([*read[:3], "none"]), source="anna")
    await correct(open_client, digits[4:5], label="5", source="bo")

    async def ids(**params: Any) -> list[int]:
        return [item["id"] for item in (await open_client.get("/feedback", params=params)).json()["items"]]

    page = (await open_client.get("/feedback?limit=2")).json()
    assert ([item["id"] for item in page["items"]], page["next"]) == ([5, 4], 4)
    assert await ids(before=4) == [3, 2, 1]
    assert await ids(source="bo") == [5]
    assert await ids(label="none") == [4]
    assert await ids(label=read[0], source="anna", answer="right", version=1) == [
        number for number in (3, 2, 1) if read[number - 1] == read[0]
    ]
    assert await ids(version=9) == []
    # when
    assert (await open_client.delete("/feedback/4")).status_code == 204
    assert (await open_client.get("/feedback/4")).json()["title"] == "No such correction"
    assert (await open_client.delete("/feedback?source=anna")).json() == {"deleted": 3}
    assert (await open_client.delete("/feedback")).json() == {"deleted": 1}
    assert await ids() == []


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({}, "label"),
        ({"label": "ten"}, "label"),
        ({"label": 7, "source": "../up"}, "source"),
        ({"labels": 7}, "label?"),
        ({"label": "10"}, "label"),
        ({"label": "-1"}, "label"),
        ({"label": "7,"}, "label"),
        ({"label": "7", "prediction_id": "\0"}, "prediction_id"),
        ({"label": "7", "source": "anna\n"}, "source"),
    ],
)
async def test_wrong_fields_are_named(
    open_client: httpx.AsyncClient, digits: Images, params: dict[str, Any], word: str
) -> None:
    response = await correct(open_client, digits[:1], **params)
    assert response.status_code == 422
    assert word in response.json()["detail"]


async def test_correction_outlives_the_version_that_answered(
    open_client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint, digits: Images
) -> None:
    # given
    (item,) = (await correct(open_client, digits[:1], label=1)).json()["items"]
    answered = await open_client.post(
        "/predict?remember=true", content=npy_file(digits[1:2]), headers={"Content-Type": NPY}
    )
    prediction_id = answered.json()["predictions"][0]["prediction_id"]
    # when: the version is deleted
    version = publish(registry, retrained(shipped, seed=1))
    await eventually_answers(open_client, "/metrics", lambda response: response.json()["version"] == version)
    assert (await open_client.delete(f"/versions/{item['version']}")).status_code == 204
    # then
    late = await open_client.post("/feedback", params={"prediction_id": prediction_id, "label": 2})
    assert (late.status_code, late.json()["items"][0]["version"]) == (201, item["version"])
    kept = (await open_client.get("/feedback", params={"version": item["version"]})).json()["items"]
    assert kept == [*late.json()["items"], item]
    (score,) = (await open_client.get("/metrics")).json()["feedback"]
    assert (score["version"], score["total"]) == (item["version"], 2)


async def test_mutated_bodies_are_kept_or_refused(settings: Settings, digits: Images) -> None:
    limits = {"feedback": "on", "max_feedback_per_minute": 100_000}
    file = base64.b64encode(image_file(digits[3])).decode()
    bodies = {
        JSON: json.dumps({"images": [f"data:image/png;base64,{file}"]}).encode(),
        NPY: npy_file(digits[:1]),
        PNG: image_file(digits[0]),
        RAW: digits[0].tobytes(),
        MULTIPART: form([("file", image_file(digits[0]))]),
    }
    statuses = set()
    async with connect(settings.model_copy(update=limits)) as client:
        for content_type, body in bodies.items():
            for mutated in [body, *mutations(list(bodies.values()), 60, seed=7)]:
                headers = {"Content-Type": content_type}
                response = await client.post("/feedback?label=7&fit=mnist", content=mutated, headers=headers)
                assert response.status_code in (201, 400, 413, 415, 422), response.text
                statuses.add(response.status_code)
    assert {201, 400, 422} <= statuses


async def test_corrections_are_limited_per_minute_and_in_all(settings: Settings, digits: Images) -> None:
    limits = {"feedback": "on", "max_feedback_per_minute": 3, "max_feedback": 3}
    async with connect(settings.model_copy(update=limits)) as client:
        many = await correct(client, digits[:4], label="1,1,1,1")
        assert many.status_code == 422
        assert "4 corrections in one request, the limit is 3" in many.json()["detail"]
        body: dict[str, Any] = {"content": npy_file(digits[:2]), "headers": {"Content-Type": NPY}}
        remembered = [await client.post("/predict?remember=true", **body) for _ in range(3)]
        assert [response.status_code for response in remembered] == [200, 200, 429]
        assert (await correct(client, digits[:2], label="1,1")).status_code == 201
        full = await correct(client, digits[:2], label="1,1")
        assert (full.status_code, full.json()["title"]) == (429, "Too many corrections")
        assert "INKLING_MAX_FEEDBACK" in full.json()["detail"]
        limited = await correct(client, digits[:1], label="1")
        assert (limited.status_code, limited.json()["title"]) == (429, "Too many requests")
        assert int(limited.headers["retry-after"]) >= 1


async def test_access_is_open_or_by_key_as_the_setting_says(settings: Settings, digits: Images) -> None:
    key = {"Authorization": "Bearer a key for tests"}
    body: dict[str, Any] = {"content": npy_file(digits[:1])}
    for mode, expected in (("on", 201), ("key", 401)):
        update = {"feedback": mode, "api_key": SecretStr("a key for tests")}
        async with connect(settings.model_copy(update=update)) as client:
            response = await client.post("/feedback?label=1", headers={"Content-Type": NPY}, **body)
            assert response.status_code == expected
            response = await client.post("/feedback?label=1", headers={"Content-Type": NPY, **key}, **body)
            assert response.status_code == 201
            assert (await client.get("/feedback")).status_code == 401
            assert (await client.get("/feedback", headers=key)).status_code == 200


async def test_page_of_another_site_cannot_send_feedback(open_client: httpx.AsyncClient, digits: Images) -> None:
    headers = {"Content-Type": NPY, "Origin": "http://attacker.example"}
    response = await open_client.post("/feedback?label=1", content=npy_file(digits[:1]), headers=headers)
    assert response.status_code == 403
    assert (await open_client.get("/feedback")).json()["items"] == []


async def test_metrics_show_the_accuracy_on_feedback_apart(open_client: httpx.AsyncClient, digits: Images) -> None:
    before = (await open_client.get("/metrics")).json()
    assert before["feedback"] == []
    await correct(open_client, digits[:2], label="1,1")
    await correct(open_client, digits[:1], label=(await open_client.get("/feedback/1")).json()["digit"])
    report = (await open_client.get("/metrics")).json()
    (score,) = report["feedback"]
    assert (score["version"], score["total"]) == (1, 3)
    assert score["accuracy"] == score["correct"] / 3
    assert score["interval_95"][0] < score["accuracy"] <= score["interval_95"][1]
    assert report["accuracy"] == before["accuracy"]
    exposition = (await open_client.get("/metrics?format=prometheus")).text
    assert f'inkling_feedback_images{{answer="right",version="1"}} {score["correct"]:.1f}' in exposition
