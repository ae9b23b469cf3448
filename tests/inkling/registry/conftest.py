import pytest

from tests.support.postgres import BACKENDS


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every test of the registry is run on each database."""
    return str(request.param)
