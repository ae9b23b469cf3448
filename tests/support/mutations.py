"""Seeded mutations of request bodies: what damaged clients, and people who try things, send."""

import random
from collections.abc import Iterator, Sequence

TOKENS = (
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"-Infinity", b"0.5", b"256", b"9" * 400, b"-0", b"1.", b"01"),
    *(
        b'""',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"x',
        b"{}",
        b"[]",
        b"[[]]",
        b'{"b64":""}',
        b'{"b64":1}',
        b"{",
        b"}",
        b"[",
        b"]",
    ),
    *(b",", b":", b'"', b"\\", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"[" * 300, b'{"a":' * 300),
)


def mutations(bodies: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield bodies with one to four changes each: cut, doubled or spliced, or with other bytes or tokens in them."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    for _ in range(count):
        body = chance.choice(bodies)
        for _ in range(chance.randint(1, 4)):
            body = _changed(body, chance.choice(bodies), chance)
        yield body


def _changed(body: bytes, other: bytes, chance: random.Random) -> bytes:
    start, end = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
    end = min(end, start + chance.choice((0, 1, 8, 64, 4096)))
    kind = chance.randrange(6)
    if kind == 0:  # cut off
        return body[: max(start, 1)]
    if kind == 1:  # taken out
        return body[:start] + body[end:]
    if kind == 2:  # doubled
        return body[:end] + body[start:]
    if kind == 3 and body:  # one byte changed
        at = chance.randrange(len(body))
        return body[:at] + bytes((body[at] ^ 1 << chance.randrange(8),)) + body[at + 1 :]
    if kind == 4:  # spliced
        return body[:start] + other[chance.randint(0, len(other)) :]
    return body[:start] + chance.choice(TOKENS) + body[end:]
