"""What the benchmarks read and promotion_decision: wrk's words, answers, and thresholds."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.bodies.images import read_images
from app.bodies.limits import UploadLimits
from benchmarks import bulk, load, picture, serving, verdicts
from benchmarks.load import Load
from benchmarks.serving import Race
from tests.support.digits import make_digits


def race(rates: dict[str, list[float]]) -> Race:
    """Return a race on raw bodies of these requests a second, round by round, at any number of connections."""
    return Race(
        {
            ("raw", name, connections): [Load(rate, p50_ms=1.0, p99_ms=1e4 / rate) for rate in many]
            for name, many in rates.items()
            for connections in serving.SECONDS
        }
    )


def test_words_of_wrk_are_read() -> None:
    told = 'a warning\n{"requests": 500, "duration_us": 250000, "p50_us": 1500, "p99_us": 20000, "errors": 0}\n'
    assert load.parse(told) == Load(requests_per_s=2000.0, p50_ms=1.5, p99_ms=20.0)


@pytest.mark.parametrize(("requests", "errors"), [(500, 1), (0, 0)])
def test_load_with_errors_or_without_answers_is_no_measurement(requests: int, errors: int) -> None:
    told = json.dumps({"requests": requests, "duration_us": 1, "p50_us": 1, "p99_us": 1, "errors": errors})
    with pytest.raises(RuntimeError, match=f"{errors} errors in {requests} requests"):
        load.parse(told)


def test_ratios_are_those_of_a_round() -> None:
    measured = race({"Inkling": [100.0, 300.0], "no-op FastAPI": [200.0, 300.0]})
    assert measured.ratios("raw", "no-op FastAPI") == [0.5, 1.0]
    assert verdicts.spread([0.5, 1.0, 0.7]) == "0.70x (0.50 to 1.00)"


def test_threshold_is_judged_by_the_median() -> None:
    measured = race({"Inkling": [100.0, 300.0, 150.0], "no-op FastAPI": [200.0, 300.0, 200.0], "mosec": [100.0] * 3})
    judged = {what: is_met for what, _, _, is_met in serving.verdicts(measured)}
    assert judged == {"raw by no-op FastAPI": True, "raw by mosec": True, "p99, raw": True}


def test_who_is_absent_is_named_and_why() -> None:
    measured = race({"Inkling": [100.0]})
    measured.absent["mosec"] = "not installed: make bench-peers"
    assert "Left out: mosec, not installed: make bench-peers." in serving.section(measured)


def test_answer_of_another_digit_is_refused() -> None:
    expected: dict[str, object] = {"digit": 7, "probabilities": [0.0] * 7 + [1.0, 0.0, 0.0]}
    answer = {"predictions": [{"digit": 7, "confidence": 1.0, "probabilities": expected["probabilities"]}]}
    serving.check_answer(json.dumps(answer).encode(), expected)
    answer["predictions"][0]["digit"] = 8
    with pytest.raises(RuntimeError, match="expected"):
        serving.check_answer(json.dumps(answer).encode(), expected)


def test_uploads_hold_the_digit_that_they_are_checked_by(tmp_path: Path) -> None:
    posts, expected = serving.uploads(tmp_path)
    with Image.open(tmp_path / "digit.png") as picture_file:
        pixels = np.asarray(picture_file)
    for post in posts.values():
        (image,) = read_images(post.body.read_bytes(), post.content_type, UploadLimits(1, 784))
        np.testing.assert_array_equal(image, pixels)
    assert expected["digit"] == 7


def test_bulk_bodies_hold_the_same_images() -> None:
    images = np.tile(make_digits(20, seed=1)[0], (50, 1, 1))
    for body in bulk.bodies(images):
        found = read_images(body.content, body.content_type, UploadLimits(10_000, 784))
        np.testing.assert_array_equal(found, images)


def test_picture_shows_every_contestant(tmp_path: Path) -> None:
    heights = []
    for rates in ({"Inkling": [100.0]}, {"Inkling": [100.0], "no-op FastAPI": [200.0], "mosec": [50.0]}):
        picture.draw(race(rates), tmp_path / "race.png")
        with Image.open(tmp_path / "race.png") as drawn:
            heights.append(drawn.height)
    assert heights[0] < heights[1]
