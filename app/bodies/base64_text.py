"""Base64, decoded in pieces, so that the event loop's thread may run between two of them."""

import binascii

from app.bodies import byte_pieces

SPACE = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_any_base64(text: bytes) -> bytes:
    """Return what Base64 in either alphabet, padded or not, encodes; white space is ignored.

    https://infra.spec.whatwg.org/#forgiving-base64-decode

    Raises:
        binascii.Error: it is not Base64.
    """
    text = byte_pieces.translate(text, _URL_SAFE, SPACE)
    return decode_base64(text + b"=" * (-len(text) % 4))


def decode_base64(text: bytes) -> bytes:
    """Return what Base64 without white space encodes, padding at the end only.

    Raises:
        binascii.Error: it is not Base64.
    """
    if byte_pieces.contains(text[:-2], b"="):
        raise binascii.Error("it goes on after its padding")
    size = byte_pieces.PIECE_BYTES // 4 * 4  # whole groups of four letters
    starts = range(0, len(text), size)
    return b"".join([binascii.a2b_base64(text[start : start + size], strict_mode=True) for start in starts])
