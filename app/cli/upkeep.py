"""`inkling prune`, `backup`, `restore` and `move`: the upkeep of a registry that lives for years."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.cli.commands import Command
from app.cli.failures import CommandError, UsageError, print_error
from app.cli.registry_access import open_existing_registry, open_registry, visible_url
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.errors import DatabaseUrlError
from inkling.registry import database_url
from inkling.registry.database_errors import describe_database_error
from inkling.registry.database_url import SETTING, parse_database_url
from inkling.registry.registry import Registry
from inkling.registry.retention import Retention

RETENTION = ("keep_promoted_versions", "keep_newest_versions", "keep_progress_days", "keep_feedback_days")

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="backup of a registry")]

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url", *RETENTION)
def prune(
    settings: Settings,
    *,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be deleted, and delete nothing.")
    ] = False,
) -> int:
    """Delete the versions, lines of progress and corrections that the settings do not keep. Servers may run."""
    retention = Retention(
        settings.keep_promoted_versions,
        settings.keep_newest_versions,
        settings.keep_progress_days,
        settings.keep_feedback_days,
    )
    with open_existing_registry(settings) as registry:
        before = registry.size_bytes()
        count = 0
        for item in registry.prune(retention, is_dry_run=is_dry_run):
            count += 1
            print(f"{'would delete' if is_dry_run else 'deleted'} {item}", flush=True)
        if is_dry_run:
            print(f"{count} deletions in a registry of {before} bytes")
            return 0
        registry.shrink()
        print(f"{count} deletions; the registry has {registry.size_bytes()} bytes, before {before}")
    return 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def backup(
    settings: Settings,
    file: BackupFile,
    *,
    is_replaced: Annotated[bool, typer.Option("--replace", help="Replace the file if it exists.")] = False,
) -> int:
    """Write the registry to a file, a SQLite database, while servers and trainers go on."""
    if file.exists() and not is_replaced:
        raise CommandError(f"{file} exists: name another file, or add --replace")
    with open_existing_registry(settings) as registry:
        problems = registry.back_up(file)
    for problem in problems:
        print_error(problem)
    state = f"{len(problems)} problems; `inkling verify --repair` mends the registry" if problems else "consistent"
    print(f"{file}: {file.stat().st_size} bytes, {state}")
    return 1 if problems else 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def restore(
    settings: Settings,
    file: BackupFile,
    *,
    is_replaced: Annotated[bool, typer.Option("--replace", help="Replace a registry that holds something.")] = False,
) -> int:
    """Replace the registry with a backup, whichever database the two are in. The backup is verified first."""
    if not file.is_file():
        raise CommandError(f"{file} is no file")
    with open_registry(settings) as registry:
        if (found := registry.contents()) and not is_replaced:
            raise CommandError(
                f"the registry at {visible_url(settings)} holds {found}: back it up, and add --replace to replace it"
            )
        registry.restore(file, settings.data_dir)
        print(f"{visible_url(settings)} holds {registry.contents()}")
    return 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def move(
    settings: Settings,
    url: Annotated[str, typer.Argument(metavar="URL", help="SQLAlchemy URL of an empty database")],
) -> int:
    """Copy the registry to another database, from SQLite to PostgreSQL or back, while nobody can write to it."""
    try:
        target = parse_database_url(url)
    except DatabaseUrlError as error:
        raise UsageError(str(error).replace(SETTING, "the URL")) from error
    if target == parse_database_url(settings.registry_url):
        raise UsageError("the registry is there already: name another database")
    shown = database_url.visible_url(url)
    with open_existing_registry(settings) as registry:
        try:
            with closing(Registry(url)) as other:
                problems = registry.copy_to(other)
                held = other.contents()
        except SQLAlchemyError as error:
            raise CommandError(f"the registry cannot be moved to {shown}: {describe_database_error(error)}") from error
    for problem in problems:
        print_error(problem)
    print(f"{shown} holds {held}, {f'with {len(problems)} problems' if problems else 'consistent'}")
    print("set INKLING_DATABASE_URL to it for all servers and trainers; the former database is unchanged")
    return 1 if problems else 0
