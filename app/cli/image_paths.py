"""Image files: named one by one, by folder, or by a pattern that the shell did not expand."""

import glob
from collections.abc import Sequence
from pathlib import Path

from app.cli.failures import CommandError
from inkling.file_kinds import IMAGE_SUFFIXES


def expand(argument: Path) -> Sequence[Path]:
    """Return the image files that an argument of the command line means, sorted by name.

    A folder means the image files directly in it, without hidden ones; `folder/**/*.png` looks into its subfolders.

    Raises:
        CommandError: the folder or the pattern has none.
        OSError: the folder cannot be read.
    """
    if argument.is_dir():
        files = sorted(path for path in argument.iterdir() if _is_image_name(path) and path.is_file())
        if not files:
            raise CommandError(f"{argument} holds no image file ({', '.join(IMAGE_SUFFIXES)})")
        return files
    if argument.exists() or not glob.has_magic(str(argument)):
        return [argument]
    files = sorted(path for name in glob.glob(str(argument), recursive=True) if (path := Path(name)).is_file())
    if not files:
        raise CommandError(f"no file matches {argument}")
    return files


def _is_image_name(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
