"""Operations on large byte strings in pieces, so that the event loop's thread may run between two of them.

Python switches between threads only between two calls: one search through 16 MB would hold the event loop up for 35 ms.
"""

PIECE_BYTES = 256 << 10
"""A piece takes half a millisecond at most."""


def translate(text: bytes, table: bytes | None, deleted: bytes) -> bytes:
    """Return `text.translate(table, deleted)`."""
    return b"".join([text[i : i + PIECE_BYTES].translate(table, deleted) for i in range(0, len(text), PIECE_BYTES)])


def find(text: bytes, pattern: bytes, start: int = 0) -> int:
    """Return `text.find(pattern, start)`."""
    if len(text) <= PIECE_BYTES:
        return text.find(pattern, start)
    step = max(PIECE_BYTES, 4 * len(pattern))
    for i in range(start, len(text), step):
        found = text.find(pattern, i, i + step + len(pattern) - 1)
        if found >= 0:
            return found
    return -1


def contains(text: bytes, *patterns: bytes) -> bool:
    """Return whether any of the patterns is in the text."""
    return any(find(text, pattern) >= 0 for pattern in patterns)


def count(text: bytes, pattern: bytes, start: int = 0) -> int:
    """Return `text.count(pattern, start)`, of a pattern that cannot overlap itself."""
    if len(text) <= PIECE_BYTES:
        return text.count(pattern, start)
    rest = len(pattern) - 1
    return sum([text.count(pattern, i, i + PIECE_BYTES + rest) for i in range(start, len(text), PIECE_BYTES)])


def equal(text: bytes, first: int, second: int, length: int) -> bool:
    """Return whether the bytes of a length from two positions on are the same; they may overlap."""
    for start in range(0, length, PIECE_BYTES):
        end = min(start + PIECE_BYTES, length)
        if text[first + start : first + end] != text[second + start : second + end]:
            return False
    return True
