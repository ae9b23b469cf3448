"""The messages between the server and its decoder processes: a JSON header, and bytes after it. Nothing is pickled."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

PREFIX = struct.Struct(">IQ")
"""Lengths of the header and of the bytes after it."""


class Message(NamedTuple):
    header: dict[str, Any]
    payload: bytes


def encode(header: dict[str, Any], parts: Sequence[bytes] = ()) -> list[bytes]:
    """Return a message as pieces, which need not be joined: they may be large."""
    head = orjson.dumps(header)
    return [PREFIX.pack(len(head), sum(map(len, parts))) + head, *parts]
