"""`inkling versions`, `promote`, `delete`, `import` and `verify`: the registry on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.cli.commands import Command
from app.cli.parsers import VersionArgument
from app.cli.registry_access import open_existing_registry, visible_url
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.network.pretrained import load_pretrained
from inkling.registry.records import Version
from inkling.registry.registry import Registry
from inkling.registry.uploads import add_upload_verified

PAGE = 100
"""Versions per transaction."""

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def versions(
    settings: Settings,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per version.")] = False,
) -> int:
    """List the versions, newest first. A star marks the served one."""
    with open_existing_registry(settings) as registry:
        served = registry.versions.served()
        for version in _all_versions(registry):
            is_served = served is not None and served.version == version.version
            print(_json(version, is_served=is_served) if as_json else _line(version, is_served=is_served))
    return 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def promote(
    settings: Settings,
    version: VersionArgument,
    *,
    across_datasets: Annotated[
        bool,
        typer.Option(
            "--across-datasets",
            help="Serve it even if it learned another dataset, so that answers change their meaning.",
        ),
    ] = False,
) -> int:
    """Serve a version from now on. Running servers switch to it."""
    with open_existing_registry(settings) as registry:
        promotion = registry.versions.promote(
            version, reason="requested by inkling promote", across_datasets=across_datasets
        )
    print(f"version {promotion.version} is served since {promotion.promoted_at:%Y-%m-%d %H:%M:%S} UTC")
    return 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def delete(settings: Settings, version: VersionArgument) -> int:
    """Delete a version and its file, unless it is served. Its promotions and its run stay in the history."""
    with open_existing_registry(settings) as registry:
        registry.versions.delete(version)
    print(f"version {version} is deleted")
    return 0


@commands.command("import", cls=Command)
@with_settings("data_dir", "database_url", "mnist_dir")
def import_file(
    settings: Settings, file: Annotated[Path, typer.Argument(metavar="FILE", help="checkpoint file")]
) -> int:
    """Add a checkpoint file as a version, measured on the MNIST test images if they are there."""
    content = file.read_bytes()
    with open_existing_registry(settings) as registry:
        version = add_upload_verified(registry, content, settings.mnist_dir, settings.data_dir)
    print(f"{file}: version {version.version}, {_accuracy(version)}")
    print(f"`inkling promote {version.version}` serves it")
    return 0


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def verify(
    settings: Settings,
    *,
    is_repaired: Annotated[
        bool,
        typer.Option("--repair", help="Drop damaged versions, promote one that loads, queue runs without a trainer."),
    ] = False,
) -> int:
    """Check that the registry is consistent: every version loads, and no run or promotion contradicts another."""
    with open_existing_registry(settings) as registry:
        for repaired in registry.repair(load_pretrained()) if is_repaired else ():
            print(f"repaired: {repaired}")
        problems = registry.verify()
        if not problems and not registry.versions.newest(1):
            problems = ["the registry is empty: is it the right one? --repair adds the network that ships"]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in {visible_url(settings)}" if problems else "consistent")
    return 1 if problems else 0


def _all_versions(registry: Registry) -> Iterator[Version]:
    before = None
    while page := registry.versions.newest(PAGE, before):
        yield from page
        before = page[-1].version


def _line(version: Version, *, is_served: bool) -> str:
    return (
        f"{'*' if is_served else ' '} {version.version:>4}  {_accuracy(version)}"
        f"  {version.origin:<8}  {version.created_at:%Y-%m-%d %H:%M}  {version.digest[:12]}  {version.learned}"
    )


def _accuracy(version: Version) -> str:
    return f"test accuracy {version.evaluation.accuracy:.4f}" if version.evaluation else "test accuracy unknown"


def _json(version: Version, *, is_served: bool) -> str:
    """Return the fields of the service's answer, and whether the version is served."""
    from app.schemas import VersionDetail  # noqa: PLC0415  only --json needs it

    return json.dumps({**VersionDetail.model_validate(version).model_dump(mode="json"), "is_served": is_served})
