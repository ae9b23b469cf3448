import os
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


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep coverage, which is large and slow itself, out of the processes started."""
    for name in [name for name in os.environ if name.startswith(("COVERAGE_PROCESS", "COV_CORE"))]:
        monkeypatch.delenv(name)
