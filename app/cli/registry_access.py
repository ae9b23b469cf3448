"""The registry as commands open it, with errors in one line."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from app.cli.failures import CommandError
from app.settings import Settings

if TYPE_CHECKING:
    from inkling.registry.registry import Registry


@contextmanager
def open_registry(settings: Settings) -> Iterator["Registry"]:
    """Open the registry; create it if it does not exist.

    Raises:
        CommandError: the database cannot be opened or read.
        RegistryError: the database driver is missing, or a newer Inkling made the database.
    """
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  half a second that commands without a registry save

    from inkling.registry.database_errors import describe_database_error  # noqa: PLC0415
    from inkling.registry.registry import Registry  # noqa: PLC0415

    try:
        with closing(Registry.from_settings(settings)) as registry:
            yield registry
    except SQLAlchemyError as error:
        words = describe_database_error(error)
        raise CommandError(f"the registry at {visible_url(settings)} cannot be used: {words}") from error


@contextmanager
def open_existing_registry(settings: Settings) -> Iterator["Registry"]:
    """Open the registry.

    Raises:
        CommandError: it does not exist; or as `open_registry`.
    """
    if not settings.has_registry:
        raise CommandError(
            f"there is no registry at {visible_url(settings)}; `inkling serve` creates one, or set INKLING_DATA_DIR"
        )
    with open_registry(settings) as registry:
        yield registry


def visible_url(settings: Settings) -> str:
    """Return the registry's URL without its password."""
    from inkling.registry import database_url  # noqa: PLC0415  SQLAlchemy, as above

    return database_url.visible_url(settings.registry_url)
