"""Calls a server through the client that openapi-python-client made: URL KEY FOLDER. Prints what came as JSON."""

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from inkling_client import AuthenticatedClient, Client
from inkling_client.api.metrics import get_metrics
from inkling_client.api.predict import predict
from inkling_client.api.train import cancel_run, list_runs, start_run
from inkling_client.api.versions import list_versions
from inkling_client.models import (
    Overrides,
    PredictFilesBody,
    PredictFit,
    PredictJsonBody,
    TrainRequest,
    TrainRequestPromote,
)
from inkling_client.types import File


def call(url: str, key: str, folder: Path) -> dict[str, Any]:
    client, authorized = Client(base_url=url), AuthenticatedClient(base_url=url, token=key)
    files = [File((folder / f"{digit}.png").open("rb"), f"{digit}.png", "image/png") for digit in range(10)]
    images = PredictJsonBody.from_dict(json.loads((folder / "images.json").read_text()))
    by_form = predict.sync(client=client, body=PredictFilesBody(files))
    files[7].payload.seek(0)
    by_png = predict.sync(client=client, body=files[7], fit=PredictFit.MNIST)
    by_json = predict.sync(client=client, body=images)
    wrong = predict.sync(client=client, body=PredictJsonBody([[1, 2, 3]]))
    refused = start_run.sync_detailed(client=client, body=TrainRequest())
    order = TrainRequest(overrides=Overrides(seed=5), promote=TrainRequestPromote.NEVER)
    run = start_run.sync(client=authorized, body=order)
    return {
        "form": [prediction.digit for prediction in by_form.predictions],
        "png": [[prediction.digit, prediction.normalized.is_untouched] for prediction in by_png.predictions],
        "json": [prediction.probabilities for prediction in by_json.predictions],
        "wrong": wrong.title,
        "refused": [HTTPStatus(refused.status_code).value, refused.parsed.title],
        "run": [run.state.value, run.recipe.seed, run.waits_for is not None],
        "runs": [item.id - run.id for item in list_runs.sync(client=client, limit=1).items],
        "cancelled": cancel_run.sync(run.id, client=authorized).state.value,
        "accuracy": get_metrics.sync(client=client).accuracy,
        "versions": [[version.version, version.origin.value] for version in list_versions.sync(client=client).items],
    }


if __name__ == "__main__":
    url, key, folder = sys.argv[1:]
    print(json.dumps(call(url, key, Path(folder))))  # noqa: T201  the answer
