"""The export `c`: one header without dependencies, with a `main` that reads images from standard input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, SIDE, Floats
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import PortableNetwork
from inkling.exports.templates import fill
from inkling.network.forward import softmax
from inkling.network.views import SHIFTS, shifted

RUN = """\
Run it: `inkling_predict` and `inkling_read` are at the end of the file. Or make a program of it, which reads images of
784 bytes from standard input, and writes for each a line with the digit and its 10 probabilities:

    cc -O2 -DINKLING_MAIN -x c inkling-{version}.h -lm -o inkling-{version}
    ./inkling-{version} < images.bin
"""
NAMES = {
    "weights/h1": "inkling_h1",
    "weights/h2": "inkling_h2",
    "weights/out": "inkling_out",
    "biases/b1": "inkling_b1",
    "biases/b2": "inkling_b2",
    "biases/out": "inkling_b_out",
}
FROM_F32 = """\
static float inkling_float(inkling_weight weight) { return weight; }
"""
FROM_F16 = """\
/* IEEE 754 binary16 to float, without infinities. Shifted into place, the exponent is 112 too low. */
static float inkling_float(inkling_weight half) {
    uint32_t bits = (uint32_t)(half & 0x7fffu) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 5192296858534827628530496329220096.0f; /* 2^112 */
    return half & 0x8000u ? -value : value;
}
"""
PER_LINE = 12


def write(network: PortableNetwork) -> bytes:
    """Return the header: C99, and C++."""
    description = Description(network, "c", largest_difference(network, lambda images: run(network, images)))
    temperature, views_temperature = network.temperatures
    is_f16 = network.weights == "f16"
    arrays = [_array(NAMES[name], array) for name, array in network.arrays.items()]
    return fill(
        "inkling.h",
        {
            "WEIGHTS": "\n".join([f"typedef {'uint16_t' if is_f16 else 'float'} inkling_weight;", *arrays]),
            "FUNCTIONS": FROM_F16 if is_f16 else FROM_F32,
            "VERSION": str(network.version),
            "TEMPERATURE": _literal(temperature),
            "VIEWS_TEMPERATURE": _literal(views_temperature),
            "VIEWS_BELOW": _literal(network.views_below),
            "README": description.readme("a header for C and C++", RUN),
            "METADATA": description.metadata_json(),
        },
    )


def run(network: PortableNetwork, images: NDArray[np.uint8]) -> Floats:
    """Return the scores (n, 10) of images (n, 784), added up in the order of the header: one product after another."""
    p = {name: array.astype(np.float32) for name, array in network.arrays.items()}
    temperatures = np.array(network.temperatures, np.float32)
    x = images.astype(np.float32) / np.float32(255)
    hidden = _hidden(x, p)
    scores = _softmax(hidden, p, temperatures[0])
    is_unsure = scores.max(axis=1) < network.views_below
    views = x[is_unsure].reshape(-1, SIDE, SIDE)
    mean = hidden[is_unsure]
    for shift in SHIFTS[1:]:
        mean += _hidden(shifted(views, *shift).reshape(-1, NUM_PIXELS), p)
    scores[is_unsure] = _softmax(mean / np.float32(len(SHIFTS)), p, temperatures[1])
    return scores


def _hidden(x: Floats, p: dict[str, Floats]) -> Floats:
    layer_1 = _sigmoid(_layer(x, p["weights/h1"], p["biases/b1"]))  # (n, 128)
    return _sigmoid(_layer(layer_1, p["weights/h2"], p["biases/b2"]))  # (n, 256)


def _softmax(hidden: Floats, p: dict[str, Floats], temperature: np.float32) -> Floats:
    return softmax(_layer(hidden, p["weights/out"], p["biases/out"]) / temperature)


def _layer(x: Floats, weights: Floats, biases: Floats) -> Floats:
    sums = np.tile(biases, (len(x), 1))
    for i, row in enumerate(weights):
        sums += x[:, i : i + 1] * row
    return sums


def _sigmoid(x: Floats) -> Floats:
    with np.errstate(over="ignore"):  # 1 / (1 + infinity) is 0
        return np.float32(1) / (np.float32(1) + np.exp(-x))


def _array(name: str, array: NDArray[Any]) -> str:
    """Return the definition of an array, its rows one after the other."""
    is_half = array.dtype == np.float16
    values = array.view(np.uint16).ravel().tolist() if is_half else map(_literal, array.ravel().tolist())
    kind = "inkling_weight" if name in ("inkling_h1", "inkling_h2", "inkling_out") else "float"
    numbers = [str(value) for value in values]
    lines = [", ".join(numbers[i : i + PER_LINE]) for i in range(0, len(numbers), PER_LINE)]
    return f"static const {kind} {name}[{array.size}] = {{\n" + ",\n".join(lines) + "};"


def _literal(value: float) -> str:
    """Return a float32 as C writes it: nine digits determine it."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
