"""The verified upload of a checkpoint file to a registry."""

from pathlib import Path

from inkling import mnist
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from inkling.registry.quota import VersionQuota
from inkling.registry.records import Version
from inkling.registry.registry import Registry


def add_upload_verified(
    registry: Registry, content: bytes, mnist_dir: Path | None, data_dir: Path, quota: VersionQuota | None = None
) -> Version:
    """Verify a checkpoint file and add it, without promoting it; for a file that is a version already, return that one.

    The version is evaluated on MNIST's test images if their files are in `mnist_dir`, or else in `data_dir`/mnist;
    otherwise, and if it learned other classes, it has no evaluation: what its card claims, nobody here has measured.

    Raises:
        CheckpointError: it is not a checkpoint of this network, or its probabilities are invalid.
        DatasetError: a file of the test images is damaged.
        VersionQuotaError: the registry is full.
    """
    uploaded = checkpoint.load(content)
    if same := registry.versions.find(uploaded.digest):
        return same
    if quota:
        registry.versions.require_room(quota, len(content))  # before the work; the transaction checks it again
    classifier = Classifier(uploaded, version=0)
    classifier.self_check()
    test = mnist.load_test(mnist_dir, data_dir) if uploaded.card.learned.shows_digits else None
    evaluation = classifier.evaluate(test.images, test.labels) if test else None
    return registry.versions.add_upload(uploaded, evaluation, quota)
