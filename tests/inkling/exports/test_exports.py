"""Every export reads as the server does, with its own runtime, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling import mnist
from inkling.errors import CheckpointError, ExportError
from inkling.exports.formats import FORMATS, Export, Format, export
from inkling.exports.measurement import round_up
from inkling.exports.network import PortableNetwork, Weights
from inkling.network.checkpoint import SHAPES, Checkpoint, load, save
from inkling.network.classifier import Classifier
from tests.support.exports import compile_c, documented, export_metadata, export_readme, program, read_with
from tests.support.networks import make_card, make_checkpoint, random_parameters, with_random_parameters, with_views
from tests.support.processes import without_module

MAX_DIFFERENCE = 1e-5
"""Of a probability, from the server's, with float32 weights."""

every_format = pytest.mark.parametrize("format_name", FORMATS)
every_weights = pytest.mark.parametrize("weights", get_args(Weights))


@pytest.fixture
def sharp() -> Checkpoint:
    """A network of large random weights: sure of some images, unsure of others."""
    return with_random_parameters(make_checkpoint(), 0.3)


def export_of(checkpoint: Checkpoint, format_name: Format, weights: Weights = "f32", version: int = 1) -> Export:
    return export(PortableNetwork(checkpoint, version, weights), format_name)


def write(
    folder: Path, checkpoint: Checkpoint, format_name: Format, weights: Weights = "f32", version: int = 1
) -> Path:
    made = export_of(checkpoint, format_name, weights, version)
    (folder / made.name).write_bytes(made.content)
    return folder / made.name


@pytest.mark.mnist
@every_weights
@every_format
def test_no_digit_of_the_test_images_differs(
    tmp_path: Path,
    real_mnist_dir: Path,
    shipped: Checkpoint,
    format_name: Format,
    weights: Weights,
) -> None:
    test = mnist.load_test(real_mnist_dir, tmp_path)
    assert test
    images = test.images
    served = Classifier(shipped, 1).probabilities(images)
    if weights == "f16":  # the 1,000 least sure ones: no other digit could differ
        least_sure = np.argsort(served.max(axis=1))[:1000]
        images, served = images[least_sure], served[least_sure]
    file = write(tmp_path, shipped, format_name, weights)
    scores, digits = read_with(format_name, file, images.reshape(-1, 784))
    assert scores.dtype == np.float32
    assert digits.tolist() == served.argmax(axis=1).tolist() == scores.argmax(axis=1).tolist()
    difference, stated = np.abs(scores - served).max(), export_metadata(format_name, file)["largest_difference"]
    assert difference <= documented(format_name, weights).difference * 1.5  # the last bits depend on the processor
    if weights == "f32":
        assert difference <= stated <= MAX_DIFFERENCE


@every_format
@pytest.mark.parametrize("has_views", [False, True])
def test_any_network_is_read_as_by_the_server(
    tmp_path: Path,
    sharp: Checkpoint,
    digits: NDArray[np.uint8],
    format_name: Format,
    has_views: bool,
) -> None:
    network = with_views(sharp, temperature=1.7, below=0.8) if has_views else sharp
    served = Classifier(network, 1).probabilities(digits)
    confidence = Classifier(sharp, 1).probabilities(digits).max(axis=1)
    assert (confidence < 0.8).any()
    assert (confidence > 0.8).any()
    file = write(tmp_path, network, format_name)
    for count in (1, len(digits)):
        scores, read = read_with(format_name, file, digits[:count].reshape(-1, 784))
        assert np.abs(scores - served[:count]).max() < MAX_DIFFERENCE
        assert read.tolist() == scores.argmax(axis=1).tolist()


@every_format
def test_export_describes_itself(tmp_path: Path, sharp: Checkpoint, format_name: Format) -> None:
    network = with_views(sharp)
    file = write(tmp_path, network, format_name, version=7)
    metadata = export_metadata(format_name, file)
    assert metadata["card"] == json.loads(network.card.model_dump_json())
    assert (metadata["version"], metadata["format"], metadata["weights"]) == (7, format_name, "f32")
    assert metadata["checkpoint_sha256"] == network.digest
    assert 0 < metadata["largest_difference"] <= MAX_DIFFERENCE
    readme = export_readme(format_name, file)
    assert file.name in readme
    for words in ("uint8 (n, 784)", "float32 (n, 10)", "Not inside", f"{metadata['largest_difference']:g}", "0.97"):
        assert words in readme


def test_same_version_is_written_with_the_same_bytes_by_another_process(shipped: Checkpoint) -> None:
    code = (
        "from inkling.exports.formats import FORMATS, export; from inkling.exports.network import PortableNetwork;"
        "from inkling.network.pretrained import load_pretrained;"
        "network = PortableNetwork(load_pretrained(), 3, 'f32');"
        "print([export(network, name).digest for name in FORMATS])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == f"{[export_of(shipped, name, version=3).digest for name in FORMATS]}\n"


def test_halves_of_all_sizes_are_read_back(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    parameters = random_parameters()
    parameters["weights/out"][:100] = np.geomspace(1e-9, 3, 1000, dtype=np.float32).reshape(100, 10)  # subnormal halves
    checkpoint = save(parameters, make_card())
    images = digits.reshape(-1, 784)
    expected, _ = read_with("npz", write(tmp_path, checkpoint, "npz", "f16"), images)
    for format_ in ("c", "js", "onnx"):
        scores, _ = read_with(format_, write(tmp_path, checkpoint, format_, "f16"), images)
        assert np.abs(scores - expected).max() < 1e-6


def test_exported_safetensors_can_be_imported(tmp_path: Path, shipped: Checkpoint) -> None:
    loaded = load(export_of(shipped, "safetensors").content)
    assert loaded.card == shipped.card
    assert loaded.parameters.keys() == shipped.parameters.keys()
    assert all(np.array_equal(loaded.parameters[name], shipped.parameters[name]) for name in loaded.parameters)
    with pytest.raises(CheckpointError, match=r"float16, expected float32"):
        load(export_of(shipped, "safetensors", "f16").content)


@every_format
def test_weight_beyond_float16_is_refused_by_name(format_name: Format) -> None:
    parameters = random_parameters()
    parameters["weights/h2"][0, 0] = -70_000
    checkpoint = save(parameters, make_card())
    with pytest.raises(ExportError, match=r"weights/h2 holds 70000, and float16 ends at 65504; export it with f32"):
        export_of(checkpoint, format_name, "f16")


def test_network_that_computes_no_probabilities_is_refused() -> None:
    parameters = {name: np.full(shape, 1e38, np.float32) for name, shape in SHAPES.items()}
    with pytest.raises(CheckpointError, match="probabilities add up to"):
        export_of(save(parameters, make_card()), "js")


def test_missing_package_is_named_with_its_remedy(tmp_path: Path) -> None:
    code = (
        "from inkling.exports.formats import export; from inkling.exports.network import PortableNetwork;"
        "from inkling.network.pretrained import load_pretrained;"
        "export(PortableNetwork(load_pretrained(), 1, 'f32'), 'onnx')"
    )
    environment = {**os.environ, **without_module(tmp_path, "onnx")}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "MissingPackageError: the format onnx needs the package onnx, which is not installed" in ended.stderr


def test_card_cannot_add_code_to_a_source_file(tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    card = make_card().model_copy(update={"libraries": {'*/ #error "</script>': "`;\n//\u2028 \\"}})
    checkpoint = save(random_parameters(), card)
    for format_ in ("c", "js"):
        file = write(tmp_path, checkpoint, format_)
        read_with(format_, file, digits.reshape(-1, 784))
        assert export_metadata(format_, file)["card"]["libraries"] == card.libraries


def test_c_header_is_cpp_too(tmp_path: Path, sharp: Checkpoint) -> None:
    for weights in get_args(Weights):
        header = write(tmp_path, sharp, "c", weights)
        options = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-DINKLING_MAIN", "-fsyntax-only"]
        subprocess.run([program("c++", "g++"), *options, "-x", "c++", str(header)], check=True)


@pytest.mark.parametrize("size", [0, 783, 785])
def test_c_program_refuses_what_is_no_image(tmp_path: Path, sharp: Checkpoint, size: int) -> None:
    made = compile_c(write(tmp_path, sharp, "c"))
    ended = subprocess.run([made], input=bytes(size), capture_output=True, check=False)
    assert ended.returncode == 1
    assert f"error: {size % 784} bytes after {size // 784} images".encode() in ended.stderr


def test_js_module_refuses_what_is_no_image(tmp_path: Path, sharp: Checkpoint) -> None:
    file = write(tmp_path, sharp, "js")
    code = (
        f"import {{ predict }} from {json.dumps(file.as_uri())};"
        "for (const images of [new Uint8Array(785), Array(784).fill(0)]) {"
        "  try { predict(images); } catch (error) { console.log(`${error}`); } }"
        "console.log(predict(new Uint8ClampedArray(0)).digits.length);"
    )
    ended = subprocess.run([program("node"), "--input-type=module", "-e", code], capture_output=True, check=True)
    assert ended.stdout.decode().splitlines() == [
        "RangeError: images has 785 bytes, which is no multiple of 784",
        "TypeError: images is no Uint8Array",
        "0",
    ]


@pytest.mark.parametrize(
    ("value", "rounded"), [(0, 0), (1e-6, 1e-6), (1.1e-6, 2e-6), (4.9e-6, 5e-6), (5.1e-6, 1e-5), (0.3, 0.5), (1, 1)]
)
def test_difference_is_rounded_up(value: float, rounded: float) -> None:
    assert round_up(value) == rounded
