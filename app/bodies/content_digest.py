"""The header Content-Digest: the digest of a body, by which a change on the way is noticed (RFC 9530)."""

import base64
import binascii
import hashlib
import re

from app.errors import DigestError

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
"""Those that RFC 9530 calls active."""
MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")
"""A member of the dictionary: an algorithm, and the digest in base64 between colons (RFC 8941, sections 3.2, 3.3.5)."""


def check_content_digest(content: bytes, header: str | None, encoding: str | None) -> None:
    """Compare a body with each digest of its header that is of a known algorithm; without a header, do nothing.

    Args:
        content: the body, decoded.
        header: Content-Digest.
        encoding: Content-Encoding.

    Raises:
        DigestError: the digest is another one, or the header cannot be read; or it is one of an encoded body, as the
            RFC has it, and the body was decoded while it came.
    """
    if header is None:
        return
    if encoding is not None:
        raise DigestError(
            f"Content-Digest cannot be checked with Content-Encoding {encoding[:100]}: send the body as it is"
        )
    for member in header.split(","):
        found = MEMBER.fullmatch(member.strip())
        if found is None:
            raise DigestError(f"Content-Digest is {header[:200]!r}, expected sha-256=:BASE64:")
        algorithm, stated = found.groups()
        if algorithm not in ALGORITHMS:
            continue
        digest = ALGORITHMS[algorithm](content).digest()
        try:
            is_same = base64.b64decode(stated, validate=True) == digest
        except binascii.Error as error:
            raise DigestError(f"Content-Digest holds {stated[:200]!r}, which is not base64") from error
        if not is_same:
            raise DigestError(
                f"the body of {len(content)} bytes has {algorithm} {base64.b64encode(digest).decode()}, "
                f"Content-Digest states {stated[:200]}: it was changed on its way; send it again"
            )


def format_content_digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
