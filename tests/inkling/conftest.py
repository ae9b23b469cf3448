from collections.abc import Iterator

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings


@pytest.fixture
def registry(store: StoreSettings) -> Iterator[Registry]:
    registry = Registry(store.registry_url)
    yield registry
    registry.close()
