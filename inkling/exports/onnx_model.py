"""The export `onnx`: a graph of twelve kinds of standard operators, for any runtime of ONNX."""

import numpy as np
import onnx
import onnx.parser
import onnx.reference
from numpy.typing import NDArray
from onnx import numpy_helper

from inkling.digit import Floats
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import SHORT_NAMES, PortableNetwork
from inkling.network.views import SHIFTS

RUN = """\
Run it, for example with `pip install onnxruntime`:

    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession("inkling-{version}.onnx")
    scores, digits = session.run(["scores", "digits"], {"images": np.zeros((1, 784), np.uint8)})
"""
HEADER = '<ir_version: 8, opset_import: ["": 17], producer_name: "inkling">'
"""The oldest versions that have all operators: read by runtimes since 2022."""
GRAPH = """
inkling (uint8[n, 784] images) => (float[n, 10] scores, int64[n] digits) {{
  {weights}
  levels = Cast<to = 1>(images)
  largest_level = Constant<value_float = 255.0>()
  pixels = Div(levels, largest_level)
  {scores}
  digits = ArgMax<axis = 1, keepdims = 0>(scores)
}}
"""
ONE_VIEW = """
  sums_1 = Gemm(pixels, w1, b1)
  layer_1 = Sigmoid(sums_1)
  sums_2 = Gemm(layer_1, w2, b2)
  layer_2 = Sigmoid(sums_2)
  logits = Gemm(layer_2, w3, b_out)
  calibrated = Div(logits, temperatures)
  scores = Softmax<axis = 1>(calibrated)
"""
VIEWS = """
  square = Constant<value_ints = [-1, 1, 28, 28]>()
  image = Reshape(pixels, square)
  margin = Constant<value_ints = [0, 0, 1, 1, 0, 0, 1, 1]>()
  padded = Pad(image, margin)
  sides = Constant<value_ints = [2, 3]>()
  {slices}
  views = Concat<axis = 1>({names})
  flat = Constant<value_ints = [-1, 784]>()
  rows = Reshape(views, flat)
  sums_1 = Gemm(rows, w1, b1)
  layer_1 = Sigmoid(sums_1)
  sums_2 = Gemm(layer_1, w2, b2)
  layer_2 = Sigmoid(sums_2)
  by_view = Constant<value_ints = [-1, 5, 256]>()
  each = Reshape(layer_2, by_view)
  others = Constant<value_ints = [1, 4]>()
  first, rest = Split<axis = 1>(each, others)
  mean = ReduceMean<axes = [1]>(each)
  both = Concat<axis = 1>(first, mean)
  products = MatMul(both, w3)
  logits = Add(products, b_out)
  calibrated = Div(logits, temperatures)
  probabilities = Softmax<axis = 2>(calibrated)
  once, again = Split<axis = 1>(probabilities)
  confidence = ReduceMax<axes = [2]>(once)
  is_unsure = Less(confidence, below)
  chosen = Where(is_unsure, again, once)
  answer = Constant<value_ints = [-1, 10]>()
  scores = Reshape(chosen, answer)
"""
"""All images are read in all views, with no shape that depends on the data: every runtime has these operators."""


def write(network: PortableNetwork) -> bytes:
    """Return the model."""
    model = _model(network)
    session = onnx.reference.ReferenceEvaluator(model)

    def run(images: NDArray[np.uint8]) -> Floats:
        scores: Floats = session.run(["scores"], {"images": images})[0]  # type: ignore[index]
        return scores

    description = Description(network, "onnx", largest_difference(network, run))
    model.doc_string = description.readme("ONNX", RUN)
    onnx.helper.set_model_props(model, {"inkling": description.metadata_json()})
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _model(network: PortableNetwork) -> onnx.ModelProto:
    weights = "\n".join(f"w{i} = Cast<to = 1>({name})" for i, name in enumerate(("h1", "h2", "out"), start=1))
    views = network.card.views
    scores = VIEWS.format(slices=_slices(), names=", ".join(_VIEW_NAMES)) if views else ONE_VIEW
    text = HEADER + GRAPH.format(weights=weights, scores=scores)
    model = onnx.parser.parse_model(text)
    temperatures = np.array(network.temperatures, np.float32).reshape(2, 1)
    constants = {SHORT_NAMES[name]: array for name, array in network.arrays.items()}
    constants["temperatures"] = temperatures if views else temperatures[0]
    if views:
        constants["below"] = np.array(network.views_below, np.float32)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


_VIEW_NAMES = [f"view_{i}" for i in range(len(SHIFTS))]


def _slices() -> str:
    """Return the lines that cut the views out of the padded image (n, 1, 30, 30)."""
    return "\n".join(
        f"from_{i} = Constant<value_ints = [{1 - down}, {1 - right}]>()\n"
        f"to_{i} = Constant<value_ints = [{29 - down}, {29 - right}]>()\n"
        f"view_{i} = Slice(padded, from_{i}, to_{i}, sides)"
        for i, (down, right) in enumerate(SHIFTS)
    )
