"""Zip archives that are the same bytes for the same files."""

import io
import zipfile
from collections.abc import Mapping


def zip_files(files: Mapping[str, bytes], before: bytes = b"") -> bytes:
    """Return a zip archive of files by their names, not compressed, each with the date 1980-01-01.

    Args:
        files: in the order of the archive.
        before: content that precedes the archive in the same file.
    """
    content = io.BytesIO(before)
    with zipfile.ZipFile(content, "a") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)
    return content.getvalue()
