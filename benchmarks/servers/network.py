"""The shipped network as a careful user would apply it: Pillow and NumPy; only the checkpoint is Inkling's."""

import io
import json
from typing import Any

import numpy as np
import safetensors.numpy
from PIL import Image

from inkling.network.pretrained import PRETRAINED

CONSTANT = (
    b'{"version":1,"predictions":[{"digit":7,"confidence":0.9998,"probabilities":'
    b"[0.00001,0.00001,0.00001,0.00001,0.00001,0.00001,0.00001,0.9998,0.00001,0.00001]}]}"
)
"""The answer of the no-op servers: nearly as long as a prediction."""


def parameters() -> tuple[dict[str, Any], float]:
    """Return the tensors by name, and the temperature."""
    content = PRETRAINED.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    temperature = json.loads(header["__metadata__"]["inkling"])["temperature"]
    return safetensors.numpy.load(content), float(temperature)


def decode(content: bytes) -> Any:
    """Return the pixels (1, 784) of an image file, float32, 0 to 1."""
    return pixels(Image.open(io.BytesIO(content)))


def pixels(image: Image.Image) -> Any:
    return np.asarray(image.convert("L"), np.float32).reshape(1, 784) / 255


def answer(probabilities: Any) -> dict[str, Any]:
    """Return the answer of every contestant for probabilities (10,)."""
    digit = int(probabilities.argmax())
    prediction = {
        "digit": digit,
        "confidence": float(probabilities[digit]),
        "probabilities": probabilities.tolist(),
    }
    return {"version": 1, "predictions": [prediction]}


class Network:
    """The forward pass in NumPy, in its plain form."""

    def __init__(self) -> None:
        self._p, self._temperature = parameters()

    def read(self, content: bytes) -> dict[str, Any]:
        """Return the answer to an image file."""
        return self.predict(decode(content))

    def predict(self, x: Any) -> dict[str, Any]:
        """Return the answer to pixels (1, 784), 0 to 1."""
        p = self._p
        layer_1 = _sigmoid(x @ p["weights/h1"] + p["biases/b1"])  # (1, 128)
        layer_2 = _sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])  # (1, 256)
        logits = (layer_2 @ p["weights/out"] + p["biases/out"]) / self._temperature  # (1, 10)
        exponentials = np.exp(logits - logits.max())
        return answer((exponentials / exponentials.sum())[0])


def _sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)
