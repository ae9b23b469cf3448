"""SavedModel and LiteRT read as the server does, and are the same bytes whenever they are written."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from app.settings import Settings
from inkling import mnist
from inkling.exports.network import PortableNetwork
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.conftest import REAL_MNIST_DIR
from tests.support.command_line import inkling
from tests.support.networks import make_checkpoint, with_random_parameters, with_temperature, with_views
from tests.support.services import open_registry
from training.exports import litert, savedmodel

pytestmark = pytest.mark.train

MAX_DIFFERENCE = 1e-5


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, shipped: Checkpoint) -> Path:
    """The data directory of a registry whose version 1 is the network that ships."""
    folder = tmp_path_factory.mktemp("data")
    with open_registry(Settings(data_dir=folder)) as registry:
        registry.versions.add_first(shipped)
    return folder


@pytest.fixture(scope="module")
def saved_model(data_dir: Path) -> Path:
    """The SavedModel of the network that ships, written by the command."""
    folder = data_dir / "models" / "1"
    result = inkling("export", "1", "--format", "savedmodel", "--out", folder, "--data-dir", data_dir)
    assert (result.returncode, result.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def lite(data_dir: Path) -> Path:
    """The LiteRT file of the network that ships, written by the command."""
    file = data_dir / "one.tflite"
    result = inkling("export", "1", "--format", "litert", "--out", file, "--data-dir", data_dir)
    assert (result.returncode, result.stderr) == (0, "")
    return file


@pytest.fixture(scope="module")
def served(shipped: Checkpoint) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """MNIST's 10,000 test images (n, 784), and the probabilities that the server gives."""
    assert REAL_MNIST_DIR
    test = mnist.load_test(Path(REAL_MNIST_DIR), Path())
    assert test
    return test.images.reshape(-1, 784), Classifier(shipped, 1).probabilities(test.images)


def run_saved_model(folder: Path, images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
    answer = tf.saved_model.load(str(folder)).signatures["serving_default"](images=tf.constant(images))
    return {name: tensor.numpy() for name, tensor in answer.items()}


def run_lite(model: bytes, images: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    answer: Mapping[str, NDArray[Any]] = Interpreter(model_content=model).get_signature_runner("serving_default")(
        images=images
    )
    return answer


def unzipped(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.mnist
def test_no_digit_of_the_test_images_differs(
    saved_model: Path, lite: Path, served: tuple[NDArray[np.uint8], NDArray[np.float32]]
) -> None:
    images, probabilities = served
    for answer in (run_saved_model(saved_model, images), run_lite(lite.read_bytes(), images)):
        assert np.abs(answer["scores"] - probabilities).max() < MAX_DIFFERENCE
        assert answer["digits"].dtype == np.int64
        assert answer["digits"].tolist() == probabilities.argmax(axis=1).tolist()


@pytest.mark.mnist
def test_no_digit_of_the_test_images_differs_with_halves(
    shipped: Checkpoint, tmp_path: Path, served: tuple[NDArray[np.uint8], NDArray[np.float32]]
) -> None:
    images, probabilities = served
    network = PortableNetwork(shipped, 1, "f16")
    model = litert.write(network)
    assert len(model) < 300_000
    folder = unzipped(savedmodel.write(network), tmp_path / "model")
    for answer in (run_saved_model(folder, images), run_lite(model, images)):
        assert answer["digits"].tolist() == probabilities.argmax(axis=1).tolist()


@pytest.mark.parametrize("has_views", [False, True])
def test_any_network_is_read_as_by_the_server(tmp_path: Path, digits: NDArray[np.uint8], *, has_views: bool) -> None:
    sharp = with_random_parameters(make_checkpoint(), 0.3)
    checkpoint = with_views(sharp, temperature=1.7, below=0.8) if has_views else with_temperature(sharp, 2.0)
    expected = Classifier(checkpoint, 1).probabilities(digits)
    network = PortableNetwork(checkpoint, 1, "f32")
    folder = unzipped(savedmodel.write(network), tmp_path / "model")
    images = digits.reshape(-1, 784)
    for answer in (run_saved_model(folder, images), run_lite(litert.write(network), images)):
        assert np.abs(answer["scores"] - expected).max() < MAX_DIFFERENCE


def test_saved_model_has_the_signatures_of_tensorflow_serving(
    saved_model: Path, digits: NDArray[np.uint8], shipped: Checkpoint
) -> None:
    """As TensorFlow Serving does: by its tag, a session, and the names of the tensors in the signatures."""
    images = digits.reshape(-1, 784)
    files = [io.BytesIO() for _ in images]
    for file, digit in zip(files, digits, strict=True):
        Image.fromarray(digit).save(file, "PNG")
    inputs = {
        "serving_default": images,
        "predict_images": images.astype(np.float32) / np.float32(255),
        "serving_files": np.array([file.getvalue() for file in files], object),
    }
    expected = Classifier(shipped, 1).probabilities(digits)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(saved_model))
        for name, values in inputs.items():
            signature = graph.signature_def[name]
            assert signature.method_name == "tensorflow/serving/predict"
            assert list(signature.inputs) == ["images"]
            fed = {signature.inputs["images"].name: values}
            scores = session.run(signature.outputs["scores"].name, fed)
            assert np.abs(scores - expected).max() < MAX_DIFFERENCE
        assert list(graph.signature_def["predict_images"].outputs) == ["scores"]


def test_export_describes_itself(saved_model: Path, lite: Path, shipped: Checkpoint) -> None:
    with zipfile.ZipFile(lite) as archive:
        lite_metadata, lite_readme = (archive.read(name).decode() for name in ("metadata.json", "README.md"))
    texts = {
        "savedmodel": (
            (saved_model / "assets.extra/inkling.json").read_text(),
            (saved_model / "README.md").read_text(),
        ),
        "litert": (lite_metadata, lite_readme),
    }
    for format_name, (metadata, readme) in texts.items():
        found = json.loads(metadata)
        assert found["card"] == json.loads(shipped.card.model_dump_json())
        assert (found["version"], found["format"], found["weights"]) == (1, format_name, "f32")
        assert 0 < found["largest_difference"] <= MAX_DIFFERENCE
        assert f"{found['largest_difference']:g}" in readme


def test_same_version_is_written_with_the_same_bytes(saved_model: Path, lite: Path, data_dir: Path) -> None:
    first = {path: path.read_bytes() for path in saved_model.rglob("*") if path.is_file()}
    result = inkling("export", "1", "--format", "savedmodel", "--force", "--out", saved_model, "--data-dir", data_dir)
    assert result.returncode == 0
    assert {path: path.read_bytes() for path in saved_model.rglob("*") if path.is_file()} == first
    with open_registry(Settings(data_dir=data_dir)) as registry:
        network = PortableNetwork.load(registry.versions.checkpoint(1), 1, "f32")
    assert litert.write(network) == lite.read_bytes()
