"""`inkling feedback`: list, export, import and delete the corrections of the registry."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.commands import Command
from app.cli.failures import CommandError, UsageError, print_warning
from app.cli.parsers import integer
from app.cli.registry_access import open_existing_registry
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.registry.correction_files import read_correction_files, write_idx_files, write_png_files
from inkling.registry.records import MAX_ID, MAX_SOURCE, SOURCE, Correction

PAGE = 1000
"""Corrections per transaction."""

commands = typer.Typer(rich_markup_mode=None, add_completion=False)
feedback = typer.Typer(
    rich_markup_mode=None, add_completion=False, help="List, export, import or delete the corrections of answers."
)
commands.add_typer(feedback, name="feedback")


Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="folder of the files")]


@feedback.command("list", cls=Command)
@with_settings("data_dir", "database_url")
def list_corrections(settings: Settings) -> int:
    """List the corrections, newest first."""
    before = None
    with open_existing_registry(settings) as registry:
        while page := registry.corrections.newest(PAGE, before):
            for correction in page:
                print(_line(correction))
            before = page[-1].id
    return 0


@feedback.command(cls=Command)
@with_settings("data_dir", "database_url")
def export(
    settings: Settings,
    folder: Folder,
    *,
    kind: Annotated[
        Literal["png", "idx"],
        typer.Option("--format", help="png: LABEL/SOURCE/ID.png; idx: two IDX files, of digits only."),
    ] = "png",
) -> int:
    """Write the images of all corrections, with their labels. Answers and times are not written."""
    with open_existing_registry(settings) as registry:
        corrections = registry.corrections.all()
    if kind == "png":
        write_png_files(corrections, folder)
        print(f"{folder}: {len(corrections)} corrections")
        return 0
    written = write_idx_files(corrections, folder)
    print(f"{folder}: {written} corrections; {len(corrections) - written} images without a digit are left out")
    return 0


@feedback.command("import", cls=Command)
@with_settings("data_dir", "database_url", "max_feedback")
def import_files(
    settings: Settings,
    folder: Folder,
    *,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Name all of them as of this source.")] = None,
    is_skipping: Annotated[bool, typer.Option("--skip", help="Leave out files that cannot be read.")] = False,
) -> int:
    """Add images with labels, from two IDX files, or from folders 0 to 9 and none of PNG files of 28x28 pixels."""
    found = read_correction_files(folder)
    for reason in found.unreadable:
        print_warning(reason)
    if found.unreadable and not is_skipping:
        raise CommandError(f"{len(found.unreadable)} files cannot be read; --skip leaves them out; nothing is imported")
    sources = [source] * len(found.sources) if source else found.sources
    if wrong := next((name for name in sources if name and not _is_source(name)), None):
        raise CommandError(f"{wrong!r} is no name of a source: 1 to {MAX_SOURCE} letters, digits, `_`, `.` and `-`")
    with open_existing_registry(settings) as registry:
        registry.corrections.add_imported(found.images, found.labels, sources, settings.max_feedback)
    print(f"{folder}: {len(found.images)} corrections")
    return 0


@feedback.command(cls=Command)
@with_settings("data_dir", "database_url")
def delete(
    settings: Settings,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="NUMBER", parser=integer(1, MAX_ID), help="numbers of the corrections"),
    ] = None,
    *,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Delete those of this source.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Delete all of them.")] = False,
) -> int:
    """Delete corrections. No run that begins from now on learns them."""
    if [bool(numbers), source is not None, is_all].count(True) != 1:
        raise UsageError("name the corrections by their numbers, or with --source NAME, or all with --all")
    with open_existing_registry(settings) as registry:
        for number in numbers or ():
            registry.corrections.delete(number)
        deleted = len(numbers) if numbers else registry.corrections.delete_all(source)
    print(f"{deleted} corrections are deleted")
    return 0


def _line(correction: Correction) -> str:
    label = "none" if correction.label is None else correction.label
    answer = (
        "imported"
        if correction.digit is None
        else f"version {correction.version} read {correction.digit} ({correction.confidence:.3f})"
    )
    when, source = f"{correction.created_at:%Y-%m-%d %H:%M}", correction.source or ""
    return f"{correction.id:>6}  {label:<4}  {answer:<28}  {when}  {source}".rstrip()


def _is_source(name: str) -> bool:
    return len(name) <= MAX_SOURCE and re.fullmatch(SOURCE, name) is not None
