"""Guesses of the API key: how many wrong ones a client may send."""

import logging

from app.admission.client_limits import ClientLimits
from app.errors import RateLimitedError

WRONG_KEYS = 10
"""Wrong keys that a client may send at once, and then per minute. A key of 8 random letters lasts for 20,000 years."""

logger = logging.getLogger("app.security")


class KeyGuesses:
    """Refuses clients that sent too many wrong keys. Others are not affected, whatever one client sends."""

    def __init__(self) -> None:
        self._wrong = ClientLimits(per_minute=WRONG_KEYS, burst=WRONG_KEYS)

    def require_patience(self, client: str) -> None:
        """Let a client try a key.

        Raises:
            RateLimitedError: it has sent too many wrong ones; the right one would not be looked at either.
        """
        if wait_s := self._wrong.wait_s(client):
            raise RateLimitedError(
                f"{client} has sent {WRONG_KEYS} wrong API keys; wait {wait_s:.0f} s before the next one", wait_s
            )

    def count_wrong(self, client: str, request_id: str) -> None:
        self._wrong.take(client)
        logger.warning("request %s: wrong API key from %s", request_id, client)
