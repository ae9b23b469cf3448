from pathlib import Path

import numpy as np
import pytest

from inkling.errors import CheckpointError, DatasetError
from inkling.mnist import TEST_IMAGES, TEST_LABELS, load_test
from inkling.network.checkpoint import SHAPES, Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.registry.registry import Registry
from inkling.registry.uploads import add_upload_verified
from tests.support.networks import make_card


def test_upload_is_evaluated_on_the_test_images(
    registry: Registry, checkpoint: Checkpoint, small_mnist_dir: Path, tmp_path: Path
) -> None:
    # when
    version = add_upload_verified(registry, checkpoint.content, small_mnist_dir, tmp_path)
    # then
    test = load_test(small_mnist_dir, tmp_path)
    assert test is not None
    expected = evaluate(Classifier(checkpoint, version=0).probabilities(test.images), test.labels)
    assert (version.version, version.origin, version.digest) == (1, "upload", checkpoint.digest)
    assert version.evaluation == expected
    assert version.evaluation != checkpoint.card.evaluation
    assert registry.versions.served() is None


def test_upload_without_test_images_keeps_the_evaluation_on_its_card(
    registry: Registry, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    version = add_upload_verified(registry, checkpoint.content, None, tmp_path)
    assert version.evaluation == checkpoint.card.evaluation


def test_test_images_are_also_found_in_the_data_directory(
    registry: Registry, checkpoint: Checkpoint, small_mnist_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "mnist").symlink_to(small_mnist_dir)
    version = add_upload_verified(registry, checkpoint.content, None, tmp_path)
    assert version.evaluation.total == 500


def test_same_file_again_is_the_same_version(registry: Registry, checkpoint: Checkpoint, tmp_path: Path) -> None:
    versions = [add_upload_verified(registry, checkpoint.content, None, tmp_path) for _ in range(2)]
    assert versions[0] == versions[1]
    assert len(registry.versions.newest(10)) == 1


def overflowing() -> bytes:
    """Return a checkpoint of valid shapes whose probabilities are not numbers."""
    return save({name: np.full(shape, 3e38, np.float32) for name, shape in SHAPES.items()}, make_card()).content


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"damaged", "not a safetensors file"), (overflowing(), "expected 1")],
    ids=["file", "sums"],
)
def test_file_that_is_no_usable_checkpoint_is_refused(
    registry: Registry, tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        add_upload_verified(registry, content, None, tmp_path)
    assert registry.versions.newest(10) == []


def test_damaged_test_images_are_an_error(registry: Registry, checkpoint: Checkpoint, tmp_path: Path) -> None:
    for name in (TEST_IMAGES, TEST_LABELS):
        (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=TEST_IMAGES):
        add_upload_verified(registry, checkpoint.content, tmp_path, tmp_path)
    assert registry.versions.newest(10) == []
