"""The answers of /predict and /explain: JSON, labels in JSON, .npy and PNG."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.serving.png_data_uri import png_data_uri
from inkling.digit import Gray
from inkling.network.attribution import Explanation
from inkling.predictor import Predictions
from inkling.vision.image_files import png_bytes
from inkling.vision.normalization import Normalization


def predictions_json(
    predictions: Predictions, threshold: float, *, return_image: bool, prediction_ids: Sequence[str] = ()
) -> bytes:
    items = predictions.items(threshold)
    for item, prediction_id in zip(items, prediction_ids, strict=bool(prediction_ids)):
        item["prediction_id"] = prediction_id
    if predictions.reports:
        for item, report, image in zip(items, predictions.reports, predictions.images, strict=True):
            item["normalized"] = _report(report, image if return_image else None)
    elif any(predictions.warnings):
        for item, warnings in zip(items, predictions.warnings, strict=True):
            if warnings:
                item["warnings"] = warnings
    return orjson.dumps({"version": predictions.version, "predictions": items}, option=orjson.OPT_SERIALIZE_NUMPY)


def _report(report: Normalization, image: Gray | None) -> dict[str, Any]:
    shown = {} if image is None else {"image": png_data_uri(image)}
    return {**asdict(report), **shown}


def labels_json(probabilities: NDArray[np.float32], count: int, classes: Sequence[str]) -> bytes:
    """Return the most probable classes of an image (10,) as labels with scores, best first, as Hugging Face does."""
    best = np.argsort(-probabilities, kind="stable")[:count]
    labels = [{"label": classes[digit], "score": probabilities[digit]} for digit in best]
    return orjson.dumps(labels, option=orjson.OPT_SERIALIZE_NUMPY)


def explanation_json(explanation: Explanation, predictions: Predictions, threshold: float) -> bytes:
    (prediction,) = predictions.items(threshold)
    if predictions.warnings[0] and not predictions.reports:
        prediction["warnings"] = predictions.warnings[0]
    return orjson.dumps(
        {
            "version": predictions.version,
            "digit": explanation.digit,
            "prediction": prediction,
            "logit": explanation.logit,
            "baseline_logit": explanation.baseline_logit,
            "contributions": explanation.contributions,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def predictions_npy(probabilities: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, probabilities, allow_pickle=False)
    return file.getvalue()


def heat_map(image: Gray, explanation: Explanation, probabilities: NDArray[np.float32]) -> bytes:
    from inkling.plots.attribution import draw_heat_map  # noqa: PLC0415  fonts: 0.14 s that a start need not wait for

    return png_bytes(draw_heat_map(image, explanation, probabilities))
