"""The export `js`: an ES module without dependencies, for Node.js and for browsers."""

import base64

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import SHORT_NAMES, PortableNetwork
from inkling.exports.templates import fill
from inkling.network.forward import forward

RUN = """\
Run it in Node.js 18 or newer; in a browser, import it in the same way from your own server. `digits` is an Int32Array.

    import { readFileSync } from "node:fs";
    import { predict } from "./inkling-{version}.mjs";

    const { scores, digits } = predict(readFileSync("images.bin"));
"""
FROM_F16 = """
/** @param {string} base64 little-endian floats of 16 bits, IEEE 754 binary16, without infinities */
function float16(base64) {
  const bytes = decoded(base64);
  return Float32Array.from({ length: bytes.byteLength / 2 }, (_, i) => {
    const half = bytes.getUint16(2 * i, true);
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return half & 0x8000 ? -size : size;
  });
}
"""


def write(network: PortableNetwork) -> bytes:
    """Return the module: its types are in JSDoc, which TypeScript reads."""
    description = Description(network, "js", largest_difference(network, lambda images: run(network, images)))
    temperature, views_temperature = network.temperatures
    return fill(
        "inkling.mjs",
        {
            "ARRAYS": "\n".join(f"  {SHORT_NAMES[name]}: {_decoded(array)}," for name, array in network.arrays.items()),
            "FUNCTIONS": FROM_F16 if network.weights == "f16" else "",
            "TEMPERATURE": repr(temperature),
            "VIEWS_TEMPERATURE": repr(views_temperature),
            "VIEWS_BELOW": repr(network.views_below),
            "README": description.readme("an ES module of JavaScript", RUN),
            "METADATA": description.metadata_json(),
        },
    )


def run(network: PortableNetwork, images: NDArray[np.uint8]) -> Floats:
    """Return the scores (n, 10) of images (n, 784), computed in float64, as JavaScript does."""
    p = {name: array.astype(np.float64) for name, array in network.arrays.items()}
    return forward(images / 255, p, network.temperatures[0], network.card.views).astype(np.float32)


def _decoded(array: NDArray[np.floating]) -> str:
    """Return the call that decodes an array."""
    function = "float16" if array.dtype == np.float16 else "float32"
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return f'{function}("{base64.b64encode(content).decode()}")'
