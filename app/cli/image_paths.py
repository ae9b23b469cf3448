"""Image files: named one by one, by folder, or by a pattern that the shell did not expand."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.cli.failures import CommandError

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif")
"""Names of the formats that are read, for files that are not named one by one."""


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
            raise CommandError(f"{argument} holds no image file ({', '.join(SUFFIXES)})")
        return files
    if argument.exists() or not glob.has_magic(str(argument)):
        return [argument]
    files = sorted(path for name in glob.glob(str(argument), recursive=True) if (path := Path(name)).is_file())
    if not files:
        raise CommandError(f"no file matches {argument}")
    return files


def _is_image_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
