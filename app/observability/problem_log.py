"""The log of problems: one line for each answered error, under its request id, at a bounded rate."""

import logging
import time
from collections.abc import Callable

from app.admission.client_limits import ClientLimits
from app.observability.answered_request import AnsweredRequest

LINES_PER_S = 20
BURST = 200
WARNED_STATUSES = frozenset((401, 403, 429, 500, 503))
"""Somebody may be trying something, or the server needs something."""
MAX_DETAIL = 300

logger = logging.getLogger("app.problems")


class ProblemLog:
    """Writes the lines, and how many were left out: a flood of bad requests must not fill the disk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = ClientLimits(per_minute=60 * LINES_PER_S, burst=BURST, clock=clock)
        self._left_out = 0

    def write(self, request: AnsweredRequest) -> None:
        """Write the line of a request that was answered with an error."""
        if self._limit.wait_s("") > 0:
            self._left_out += 1
            return
        self._limit.take("")
        if self._left_out:
            logger.warning("%d more errors were answered and not logged: more than %d/s", self._left_out, LINES_PER_S)
            self._left_out = 0
        title, detail = request.problem or ("", "")
        logger.log(
            logging.WARNING if request.status in WARNED_STATUSES else logging.INFO,
            "request %s from %s: %s %s: %d %s: %s",
            request.request_id,
            request.client,
            request.method,
            request.path[:MAX_DETAIL],
            request.status,
            title,
            detail[:MAX_DETAIL],
            extra={"fields": request.fields},
        )
