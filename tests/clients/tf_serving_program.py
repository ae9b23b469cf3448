"""Reads digits as TensorFlow Serving's tutorials do: URL FOLDER. Prints the probabilities of each digit as JSON.

The calls are those of https://www.tensorflow.org/tfx/tutorials/serving/rest_simple, and of resnet_client.py in
https://github.com/tensorflow/serving.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import requests


def read(url: str, folder: Path) -> list[list[float]]:
    test_images = np.load(folder / "digits.npy")[..., np.newaxis] / 255.0  # (n, 28, 28, 1)
    data = json.dumps({"signature_name": "serving_default", "instances": test_images.tolist()})
    headers = {"content-type": "application/json"}
    json_response = requests.post(f"{url}/v1/models/mnist:predict", data=data, headers=headers, timeout=60)
    predictions: list[list[float]] = json.loads(json_response.text)["predictions"]

    jpeg_bytes = base64.b64encode((folder / "0.png").read_bytes()).decode("utf-8")
    predict_request = f'{{"instances" : [{{"b64": "{jpeg_bytes}"}}]}}'
    response = requests.post(f"{url}/v1/models/mnist/versions/1:predict", data=predict_request, timeout=60)
    response.raise_for_status()
    assert response.json()["predictions"] == predictions[:1]
    return predictions


if __name__ == "__main__":
    url, folder = sys.argv[1:3]
    print(json.dumps(read(url, Path(folder))))  # noqa: T201  the answer
