"""A request that was answered, as the log has it."""

import logging
from typing import NamedTuple

from starlette.types import Scope

from app.errors import slug
from inkling.trace_context import trace_id_of

UNMATCHED = "unmatched"
"""The route of a request that no route takes."""
MAX_CLIENT = 64
"""Characters of an address: a proxy may pass on whatever its client calls itself."""

logger = logging.getLogger("app.access")


class AnsweredRequest(NamedTuple):
    request_id: str
    trace_id: str | None
    """None: it belongs to no trace."""
    client: str
    """The client's address; behind a trusted proxy the one that the proxy names."""
    method: str
    path: str
    route: str
    """The template of the path, such as `/versions/{version}`."""
    status: int
    seconds: float
    problem: tuple[str, str] | None
    """Title and detail, if the answer is an error."""

    @classmethod
    def of(cls, scope: Scope, method: str, status: int, seconds: float) -> "AnsweredRequest":
        """Return what an answer leaves in the scope of its request.

        Args:
            scope: of the request.
            method: of the request; the scope of a HEAD has that of a GET.
            status: of the answer.
            seconds: until the answer was complete.
        """
        return cls(
            scope["request_id"],
            trace_id_of(scope.get("traceparent")),
            scope["client"][0][:MAX_CLIENT] if scope.get("client") else "unknown",
            method,
            scope["path"],
            getattr(scope.get("route"), "path", UNMATCHED),
            status,
            seconds,
            scope.get("problem"),
        )

    @property
    def problem_type(self) -> str | None:
        """The label of its problem in the metrics."""
        return slug(self.problem[0]) if self.problem else None

    @property
    def fields(self) -> dict[str, object]:
        """The fields of its records in the log; None: it has none of these."""
        return {
            "request_id": self.request_id,
            "trace_id": self.trace_id,
            "client": self.client,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "duration_ms": round(self.seconds * 1e3, 3),
            "problem": self.problem_type,
        }


def log_access(request: AnsweredRequest) -> None:
    """Write the line of a request in the access log."""
    logger.info(
        "%s %s %d %.1f ms %s",
        request.method,
        request.path,
        request.status,
        request.seconds * 1e3,
        request.request_id,
        extra={"fields": request.fields},
    )
