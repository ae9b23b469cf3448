"""The source files that exports fill in."""

from collections.abc import Mapping
from pathlib import Path


def fill(name: str, values: Mapping[str, str]) -> bytes:
    """Return a template of this folder with each `@NAME@` replaced by its value."""
    text = (Path(__file__).parent / name).read_text("utf-8")
    for placeholder, value in values.items():
        text = text.replace(f"@{placeholder}@", value)
    return text.encode()
