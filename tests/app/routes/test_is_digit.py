from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from app.schemas import Explanation, Predictions
from app.settings import Settings
from inkling.digit import Gray
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.support.bodies import NPY, PNG, RAW, image_file, npy_file
from tests.support.digits import make_digits
from tests.support.networks import with_digit_probe
from tests.support.services import connect, open_registry, publish

pytestmark = pytest.mark.anyio


@pytest.fixture
def digits() -> Gray:
    """Images (19, 28, 28) that fit=mnist leaves as they are."""
    return make_digits(19, seed=3)[0]


@pytest.fixture
def probed(shipped: Checkpoint) -> Checkpoint:
    return with_digit_probe(shipped, bias=-4.0)


@pytest.fixture
def threshold(probed: Checkpoint, digits: Gray) -> float:
    """A threshold that half of the digits reach."""
    scores = Classifier(probed, version=1).read(digits).digit_scores
    assert scores is not None
    return float(np.median(scores))


@pytest.fixture
async def served(settings: Settings, probed: Checkpoint, threshold: float) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with that threshold, which serves the network with a probe."""
    with open_registry(settings) as registry:
        publish(registry, probed)
    async with connect(settings.model_copy(update={"digit_threshold": threshold})) as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/predict?fit=strict", "/predict?fit=mnist"])
async def test_each_prediction_says_whether_it_is_a_digit(
    served: httpx.AsyncClient, probed: Checkpoint, digits: Gray, threshold: float, path: str
) -> None:
    response = await served.post(path, content=npy_file(digits), headers={"Content-Type": NPY})
    expected = Classifier(probed, version=1).read(digits).digit_scores
    predictions = Predictions.model_validate_json(response.content).predictions
    assert expected is not None
    scores = np.array([prediction.digit_score for prediction in predictions], np.float32)
    np.testing.assert_array_equal(scores, expected)
    assert [prediction.is_digit for prediction in predictions] == [score >= np.float32(threshold) for score in expected]
    assert {prediction.is_digit for prediction in predictions} == {True, False}


async def test_explanation_says_it_too(served: httpx.AsyncClient, digits: Gray) -> None:
    answers = [
        await served.post(path, content=image_file(digits[3]), headers={"Content-Type": PNG})
        for path in ("/predict", "/explain")
    ]
    explained = Explanation.model_validate_json(answers[1].content).prediction
    assert explained == Predictions.model_validate_json(answers[0].content).predictions[0]


@pytest.mark.parametrize("fit", ["strict", "mnist"])
async def test_image_without_a_digit_is_refused_when_asked_for(
    served: httpx.AsyncClient, digits: Gray, fit: str
) -> None:
    answer = await served.post("/predict", content=npy_file(digits), headers={"Content-Type": NPY})
    are_digits = [prediction["is_digit"] for prediction in answer.json()["predictions"]]
    path, first = f"/predict?fit={fit}&none=refuse", are_digits.index(False)
    response = await served.post(path, content=npy_file(digits), headers={"Content-Type": NPY, "Accept": NPY})
    assert response.status_code == 422
    assert response.json()["title"] == "No single digit in the picture"
    assert response.json()["detail"].startswith(f"image {first + 1} shows no digit: its digit_score is 0.")
    alone = digits[are_digits.index(True)]
    response = await served.post(path, content=npy_file(alone), headers={"Content-Type": NPY})
    assert response.json()["predictions"][0]["is_digit"] is True


async def test_version_without_a_probe_answers_without_the_fields_and_cannot_refuse(
    settings: Settings, checkpoint: Checkpoint, digits: Gray
) -> None:
    with open_registry(settings) as registry:
        publish(registry, checkpoint)
    async with connect(settings) as client:
        response = await client.post("/predict", content=digits[3].tobytes(), headers={"Content-Type": RAW})
        assert response.json()["predictions"][0].keys() == {"digit", "confidence", "probabilities"}
        response = await client.post("/predict?none=refuse", content=npy_file(digits), headers={"Content-Type": NPY})
        assert response.status_code == 422
        assert response.json()["title"] == "Invalid field"
        assert "has no digit probe" in response.json()["detail"]


async def test_probe_is_kept_from_upload_to_download(settings: Settings, probed: Checkpoint) -> None:
    async with connect(settings) as client:
        headers = {"Content-Type": "application/octet-stream"}
        version = (await client.post("/versions", content=probed.content, headers=headers)).json()["version"]
        assert (await client.get(f"/versions/{version}/checkpoint")).content == probed.content


async def test_unknown_policy_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict?none=maybe", content=bytes(784), headers={"Content-Type": RAW})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "query.none"
