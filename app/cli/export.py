"""`inkling export`: a version as a file, or as a folder, that runs without Inkling."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from app.cli.commands import Command
from app.cli.failures import CommandError, UsageError
from app.cli.parsers import VersionArgument
from app.cli.registry_access import open_existing_registry
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.atomic_file import write_atomically, write_folder_atomically
from inkling.exports.formats import SUFFIXES, AnyFormat, TensorFlowFormat
from inkling.exports.formats import export as write_export
from inkling.exports.network import PortableNetwork, Weights

STANDARD_OUTPUT = Path("-")

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def export(
    settings: Settings,
    version: VersionArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="without --format: the checkpoint file to write")
    ] = None,
    *,
    format_name: Annotated[
        AnyFormat | None, typer.Option("--format", help="Write the version in this format; docs/exports.md shows each.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File to write, - for standard output; for savedmodel a folder.  [default: inkling-VERSION and the "
            "format's suffix, in this folder]",
        ),
    ] = None,
    weights: Annotated[Weights, typer.Option(help="Floats that store the weights; f16 halves the file.")] = "f32",
    is_forced: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> int:
    """Write a version as a file that runs without Inkling: images in, probabilities out.

    Without --format it is the checkpoint file itself, which `inkling import` adds elsewhere.
    """
    if format_name is None:
        if file is None or out is not None or weights != "f32":
            raise UsageError("name the FILE for the checkpoint, or a --format; see `inkling export --help`")
        content = _read(settings, version)
        write_atomically(file, content)
        print(f"{file}: version {version}, {len(content)} bytes")
        return 0
    if file is not None:
        raise UsageError(f"{file}: with --format, name the file by --out")
    target = out or Path(f"inkling-{version}{SUFFIXES[format_name]}")
    _check(target, format_name, is_forced=is_forced)
    content = _export(_read(settings, version), version, format_name, weights)
    _write(target, format_name, content)
    if target != STANDARD_OUTPUT:
        print(f"{target}: version {version} as {format_name} with {weights} weights, {len(content)} bytes")
    return 0


def _read(settings: Settings, version: int) -> bytes:
    with open_existing_registry(settings) as registry:
        return registry.versions.checkpoint(version)


def _check(target: Path, format_name: AnyFormat, *, is_forced: bool) -> None:
    """Check, before the work, that the target may be written.

    Raises:
        UsageError: a folder cannot be written to standard output.
        CommandError: the target is there already, or is a folder that --force does not replace.
    """
    if format_name == "savedmodel" and target == STANDARD_OUTPUT:
        raise UsageError("--out - cannot be a folder, and savedmodel is one; name it")
    if target == STANDARD_OUTPUT or not (target.exists() or target.is_symlink()):
        return
    if not is_forced:
        raise CommandError(f"{target} exists; --force replaces it")
    kind = "SavedModel" if format_name == "savedmodel" else "file"
    if not (target / "saved_model.pb" if kind == "SavedModel" else target).is_file():
        raise CommandError(f"{target} is no {kind}, so --force does not replace it; name another one")


def _export(content: bytes, version: int, format_name: AnyFormat, weights: Weights) -> bytes:
    network = PortableNetwork.load(content, version, weights)
    match format_name:
        case "savedmodel" | "litert":
            return _export_with_tensorflow(content, version, format_name, weights)
        case _:
            return write_export(network, format_name).content


def _export_with_tensorflow(content: bytes, version: int, format_name: TensorFlowFormat, weights: Weights) -> bytes:
    """Return what `python -m training export` makes of a checkpoint file.

    Raises:
        CommandError: it failed; the last line that it has printed says why.
    """
    command = [sys.executable, "-m", "training", "export", str(version), "--format", format_name, "--weights", weights]
    ended = subprocess.run(command, input=content, capture_output=True, check=False)
    if ended.returncode != 0:
        printed = ended.stderr.decode(errors="replace").strip()
        words = printed.rpartition("error: ")[2] or f"it ended with {ended.returncode} and printed nothing"
        raise CommandError(f"the export with TensorFlow failed: {words}")
    return ended.stdout


def _write(target: Path, format_name: AnyFormat, content: bytes) -> None:
    if target == STANDARD_OUTPUT:
        sys.stdout.buffer.write(content)
    elif format_name == "savedmodel":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            write_folder_atomically(target, {name: archive.read(name) for name in archive.namelist()})
    else:
        write_atomically(target, content)
