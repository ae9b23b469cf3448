"""Checkpoint files with another header or card."""

import json
import struct
from collections.abc import Callable
from typing import Any

from inkling.network.checkpoint import load


def with_header(content: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """Return the file with another header."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(change(json.loads(content[8 : 8 + length]))).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def with_card(content: bytes, text: str) -> bytes:
    """Return the file with another text in place of its card."""
    return with_header(content, lambda header: {**header, "__metadata__": {"inkling": text}})


def with_card_fields(content: bytes, **fields: Any) -> bytes:
    """Return the file with some fields of its card replaced."""
    card = json.loads(load(content).card.model_dump_json())
    return with_card(content, json.dumps({**card, **fields}))
