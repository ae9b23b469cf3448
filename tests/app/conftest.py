from collections.abc import Iterator

import pytest

from app.settings import Settings
from inkling.registry.registry import Registry
from tests.support.services import open_registry


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    """The registry of the fixtures `app` and `client`, as another process sees it."""
    with open_registry(settings) as registry:
        yield registry
