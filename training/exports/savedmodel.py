"""The export `savedmodel`: a folder that TensorFlow and TensorFlow Serving load."""

import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from inkling.exports.archive import zip_files
from inkling.exports.description import Description
from inkling.exports.measurement import largest_difference
from inkling.exports.network import PortableNetwork
from training.exports.served_network import ServedNetwork

RUN = """\
Run it, for example with `pip install tensorflow`:

    import numpy as np
    import tensorflow as tf

    model = tf.saved_model.load("inkling-{version}-savedmodel")
    answer = model.signatures["serving_default"](images=np.zeros((1, 784), np.uint8))

or by TensorFlow Serving, with this folder as `models/mnist/{version}`:

    tensorflow_model_server --model_name=mnist --model_base_path=$PWD/models/mnist --rest_api_port=8501

Signatures: `serving_default` as above; `predict_images`, images float32 (n, 784) from 0 to 1, as TensorFlow Serving's
MNIST client sends them; `serving_files`, PNG files of 28x28 pixels.
"""
METADATA = "assets.extra/inkling.json"
"""Where TensorFlow Serving keeps what is not the graph's (its `assets.extra`)."""


def write(network: PortableNetwork) -> bytes:
    """Return a zip archive with the files of the folder."""
    module = ServedNetwork(network)
    difference = largest_difference(network, lambda images: module.serving_default(images)["scores"].numpy())
    description = Description(network, "savedmodel", difference)
    with tempfile.TemporaryDirectory() as folder:
        save(module, Path(folder), "serving_default", "predict_images", "serving_files")
        files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*.*"))}
    files["README.md"] = description.readme("SavedModel", RUN).encode()
    files[METADATA] = description.metadata_json().encode()
    return zip_files(files)


def save(module: ServedNetwork, folder: Path, *signatures: str) -> None:
    """Write the folder: the same bytes for the same network."""
    tf.saved_model.save(module, str(folder), signatures={name: getattr(module, name) for name in signatures})
    (folder / "fingerprint.pb").unlink()  # it holds a random id
    graph = folder / "saved_model.pb"
    parsed = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    graph.write_bytes(parsed.SerializeToString(deterministic=True))  # maps in the order of their keys
