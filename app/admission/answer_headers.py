"""The headers of every answer, which limit what a browser does with it."""

from typing import Final

NOTHING_RUNS: Final = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of files and errors: opened as a page, they run nothing, and no page may frame them."""

ANSWER_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
