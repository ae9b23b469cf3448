"""Databases of the registry with any schema, without the registry's own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from sqlalchemy import Connection, create_engine

import inkling.registry


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """Open a transaction on a database with any schema."""
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def migrations(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for the migrations of the registry."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(inkling.registry.__file__).parent / "migrations"))
    return config
