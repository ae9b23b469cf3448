"""The export `litert`: one file for LiteRT, formerly TensorFlow Lite, on phones and small computers."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import Floats
from inkling.exports.archive import zip_files
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import PortableNetwork
from training.exports import savedmodel
from training.exports.served_network import ServedNetwork

RUN = """\
Run it, for example with `pip install ai-edge-litert`:

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter("inkling-{version}.tflite").get_signature_runner("serving_default")
    answer = run(images=np.zeros((1, 784), np.uint8))

The metadata and this text lie in a zip archive at the end of the file: unzip -p inkling-{version}.tflite metadata.json
"""


def write(network: PortableNetwork) -> bytes:
    """Return the file, with a zip archive at its end, as LiteRT's own metadata have it."""
    model = _convert(network)
    description = Description(network, "litert", largest_difference(network, lambda images: _run(model, images)))
    files = {"metadata.json": description.metadata_json(), "README.md": description.readme("LiteRT", RUN)}
    return zip_files({name: text.encode() for name, text in files.items()}, before=model)


def _convert(network: PortableNetwork) -> bytes:
    """Return the model. Of f16, the converter makes the halves itself: it would store ours as float32."""
    with tempfile.TemporaryDirectory() as folder:
        module = ServedNetwork(PortableNetwork(network.checkpoint, network.version, "f32"))
        savedmodel.save(module, Path(folder), "serving_default")
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        if network.weights == "f16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        model: bytes = converter.convert()
        return model


def _run(model: bytes, images: NDArray[np.uint8]) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own interpreter is deprecated, but converting needs no other package
        interpreter = tf.lite.Interpreter(
            model_content=model,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    scores: Floats = interpreter.get_signature_runner("serving_default")(images=images)["scores"]
    return scores
