import os
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from app.bodies.images import UploadLimits
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.registry.registry import Registry
from tests.support.digits import make_digits
from tests.support.services import open_registry


@pytest.fixture(scope="session")
def shipped() -> Checkpoint:
    """The checkpoint that ships with the project."""
    return load_pretrained()


@pytest.fixture(scope="session")
def classifier(shipped: Checkpoint) -> Classifier:
    return Classifier(shipped, version=1)


@pytest.fixture(scope="session")
def digits() -> NDArray[np.uint8]:
    """Images (20, 28, 28) of the digits 0 to 9, twice."""
    return make_digits(20, seed=3)[0]


@pytest.fixture
def limits() -> UploadLimits:
    return UploadLimits(max_images=100, max_pixels=1_000_000)


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    """The registry of the fixtures `app` and `client`, as another process sees it."""
    with open_registry(settings) as registry:
        yield registry


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep coverage, which is large and slow itself, out of the processes started."""
    for name in [name for name in os.environ if name.startswith(("COVERAGE_PROCESS", "COV_CORE"))]:
        monkeypatch.delenv(name)
