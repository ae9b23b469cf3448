from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inkling.errors import CheckpointError, DatasetError, VersionQuotaError
from inkling.mnist import TEST_IMAGES, TEST_LABELS, load_test
from inkling.network.checkpoint import SHAPES, Checkpoint, load, save
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.registry.quota import VersionQuota
from inkling.registry.registry import Registry
from inkling.registry.uploads import add_upload_verified
from tests.support.networks import make_card, make_checkpoint, random_parameters


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


def test_upload_without_test_images_has_no_evaluation(
    registry: Registry, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    version = add_upload_verified(registry, checkpoint.content, None, tmp_path)
    assert (version.evaluation, version.measured_by) == (None, None)


def test_test_images_are_also_found_in_the_data_directory(
    registry: Registry, checkpoint: Checkpoint, small_mnist_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "mnist").symlink_to(small_mnist_dir)
    version = add_upload_verified(registry, checkpoint.content, None, tmp_path)
    assert version.evaluation is not None
    assert (version.evaluation.total, version.measured_by) == (500, "server")


def test_same_file_again_is_the_same_version(registry: Registry, checkpoint: Checkpoint, tmp_path: Path) -> None:
    versions = [add_upload_verified(registry, checkpoint.content, None, tmp_path) for _ in range(2)]
    assert versions[0] == versions[1]
    assert len(registry.versions.newest(10)) == 1


def test_one_file_uploaded_at_once_by_many_is_one_version(
    registry: Registry, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as threads:
        uploads = [threads.submit(add_upload_verified, registry, checkpoint.content, None, tmp_path) for _ in range(16)]
    assert {upload.result().version for upload in uploads} == {1}
    assert len(registry.versions.newest(10)) == 1


def test_upload_beyond_the_quota_is_refused(registry: Registry, checkpoint: Checkpoint, tmp_path: Path) -> None:
    # given
    size = len(checkpoint.content)
    add_upload_verified(registry, checkpoint.content, None, tmp_path)
    other = make_checkpoint(random_parameters(1)).content
    for quota, message in (
        (VersionQuota(max_versions=1, max_bytes=10 * size), "there are 1 versions, the limit is 1"),
        (VersionQuota(max_versions=9, max_bytes=size + 1), f"1 versions hold {size} bytes, this one {len(other)}"),
    ):
        # then
        with pytest.raises(VersionQuotaError, match=message):
            add_upload_verified(registry, other, None, tmp_path, quota)
        with pytest.raises(VersionQuotaError, match=message):  # the transaction itself
            registry.versions.add_upload(load(other), quota=quota)
        assert add_upload_verified(registry, checkpoint.content, None, tmp_path, quota).version == 1
    # when
    registry.versions.delete(1)
    # then: the room is free, and the number is not used again
    quota = VersionQuota(max_versions=1, max_bytes=size)
    assert add_upload_verified(registry, checkpoint.content, None, tmp_path, quota).version == 2


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
