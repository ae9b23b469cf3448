"""The open connections of a server process: their number, their deadlines, and the bytes that wait in them."""

import asyncio
import heapq
import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.types import Scope

from app.connections.limits import ConnectionLimits
from app.connections.listeners import Listeners
from app.connections.turns import READS_PER_TURN, STARTS_PER_TURN, Turns
from app.errors import OverloadedError, RequestTimeoutError, UnavailableError
from app.observability.answered_request import AnsweredRequest, log_access
from app.observability.families import CONNECTIONS
from app.observability.metrics import Metrics
from app.observability.problem_log import ProblemLog
from inkling.errors import InputError

SWEEP_S = 1.0
MIN_BYTES_PER_S = 4096
"""A body that comes faster, or an answer that is read faster, is never late before its deadline."""
LINGER_S = 2.0
"""Seconds in which a refused client may read why, before the connection is cut."""
REFUSALS = 64
"""Connections beyond the limit that get an answer at a time; the rest is cut at once."""
STOP_NEW_S = 2.0
"""Seconds after the drain at which connections without a request are closed.

Not at once: a proxy may send a request into a connection that it keeps at the moment when the server closes it. By then
it has met the closed port, and sends to another server.
"""
REFUSE_BEFORE_S = 5.0
"""Seconds before the end of a stop at which requests that are not complete yet are refused."""
CUT_BEFORE_S = 3.0
"""Seconds before the end of a stop at which clients that still do not read their answer are cut off."""
RETRY_S = 5.0
LOG_S = 10.0

Wait = Literal["request", "head", "body", "reading", "leaving"]
"""What a client has to do next: begin a request, end its head, send its body, read its answer, or go."""

logger = logging.getLogger(__name__)


class Connection(Protocol):
    """A connection as `OpenConnections` sees it."""

    @property
    def host(self) -> str: ...
    @property
    def wait(self) -> Wait | None:
        """What the client has to do; None while the server works."""

    @property
    def turn(self) -> object:
        """The last request: two waits with different turns are two waits."""

    @property
    def moved_bytes(self) -> int:
        """Bytes that the client has sent of its body, or read of its answer, since some moment."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the server keeps for it: unsent and not parsed."""

    def refuse(self, error: InputError) -> None: ...
    def close(self) -> None: ...
    def shutdown(self) -> None:
        """Let the connection end with its next answer."""


@dataclass
class _Watch:
    """When a connection began to wait for what it waits for, as the last sweep saw it."""

    wait: Wait | None
    turn: object
    since: float
    moved_bytes: int


class OpenConnections:
    """Owns the list of open connections. One sweep per second looks at all of them: a request costs no timer.

    A client is late by the seconds that it has kept the server waiting, less those that its bytes are worth at
    MIN_BYTES_PER_S. Who is too late is cut off. If there are too many connections, those that are latest make room, so
    that a new client, or a probe, gets in.
    """

    def __init__(self, limits: ConnectionLimits, metrics: Metrics, *, access_log: bool) -> None:
        self.limits = limits
        self.listeners = Listeners()
        self.starts, self.reads = Turns(STARTS_PER_TURN), Turns(READS_PER_TURN)
        self.is_stopping = False
        self._stopping_since = 0.0
        self._metrics = metrics
        metrics.report(CONNECTIONS, self.__len__)
        self._access_log = access_log
        self._problem_log = ProblemLog()
        self._watches: dict[Connection, _Watch] = {}
        self._of_client: Counter[str] = Counter()
        self._buffered: dict[Connection, int] = {}
        self._buffered_bytes = 0
        self._logged_at = -LOG_S

    def __len__(self) -> int:
        return len(self._watches)

    def add(self, connection: Connection) -> None:
        """Count a new connection, and make room for it if there are too many: in all, or of its client."""
        self._watches[connection] = _Watch("request", connection.turn, time.monotonic(), 0)
        host = connection.host
        self._of_client[host] += 1
        allowed = self.limits.of_client(host)
        if len(self._watches) > self.limits.connections:
            self._make_room(self._watches, connection, self.limits.connections, "INKLING_MAX_CONNECTIONS")
        elif self._of_client[host] > allowed:
            own = [other for other in self._watches if other.host == host]
            self._make_room(own, connection, allowed, "of one client, INKLING_MAX_CONNECTIONS_PER_CLIENT")

    def remove(self, connection: Connection) -> None:
        if self._watches.pop(connection, None) is None:
            return
        host = connection.host
        self._of_client[host] -= 1
        if not self._of_client[host]:
            del self._of_client[host]
        self.note_drained(connection)

    def note_buffered(self, connection: Connection) -> None:
        """Count the bytes that wait in a connection, and cut off the one with the most if they are too many."""
        self.note_drained(connection)
        self._buffered[connection] = connection.waiting_bytes
        self._buffered_bytes += self._buffered[connection]
        while self._buffered_bytes > self.limits.buffered_bytes and self._buffered:
            largest = max(self._buffered, key=lambda each: self._buffered[each])
            self.note_drained(largest)
            largest.close()
            self._log(
                "more than %d bytes (INKLING_MAX_BUFFERED_BYTES) waited for clients to read: the connection of %s, "
                "which held the most, was closed",
                self.limits.buffered_bytes,
                largest.host,
            )

    def note_drained(self, connection: Connection) -> None:
        self._buffered_bytes -= self._buffered.pop(connection, 0)

    def note_refusal(self, scope: Scope, status: int) -> None:
        """Count and log a refusal as the middleware does with a request, which never sees it."""
        self._metrics.observe("other", "unmatched", status, 0.0)
        request = AnsweredRequest.of(scope, scope["method"], status, 0.0)
        self._metrics.count_problem(request.problem_type or "")
        if self._access_log:
            log_access(request)
        self._problem_log.write(request)

    def stop(self) -> None:
        """Let each connection end with its next answer."""
        self.is_stopping, self._stopping_since = True, time.monotonic()
        for connection in self._watches:
            connection.shutdown()

    async def watch(self) -> None:
        """Look at all connections each second, until the task is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            for connection, watch in list(self._watches.items()):
                try:
                    self._check(connection, watch, now)
                except Exception as error:  # one connection must not end the deadlines of all
                    logger.exception("a connection of %s was closed: %s", connection.host, error)
                    connection.close()

    def _check(self, connection: Connection, watch: _Watch, now: float) -> None:
        wait, turn = connection.wait, connection.turn
        if wait != watch.wait or turn is not watch.turn:
            watch.wait, watch.turn, watch.since, watch.moved_bytes = wait, turn, now, connection.moved_bytes
        if self.is_stopping and wait:
            self._check_stop(connection, wait, now - self._stopping_since)
            return
        late_s, timeout_s = self._late_s(connection, watch, now), self.limits.client_timeout_s
        if wait == "body":
            self._check_body(connection, now - watch.since, late_s)
        elif wait == "head" and late_s > timeout_s:
            connection.refuse(
                RequestTimeoutError(
                    f"the head of the request was not complete within {timeout_s:g} s (INKLING_CLIENT_TIMEOUT_S)"
                )
            )
        elif wait == "request" and turn:
            timeout_s = self.limits.keep_alive_s
        elif wait == "leaving":
            timeout_s = LINGER_S
        if wait in ("request", "leaving", "reading") and late_s > timeout_s:
            connection.close()

    def _check_body(self, connection: Connection, elapsed_s: float, late_s: float) -> None:
        limits = self.limits
        if late_s > limits.client_timeout_s:
            connection.refuse(
                RequestTimeoutError(
                    f"the body came more slowly than {MIN_BYTES_PER_S} bytes per second, and after "
                    f"{limits.client_timeout_s:g} s (INKLING_CLIENT_TIMEOUT_S) it was not complete"
                )
            )
        elif elapsed_s > limits.body_timeout_s:
            connection.refuse(
                RequestTimeoutError(
                    f"the body was not complete within {limits.body_timeout_s:g} s (INKLING_BODY_TIMEOUT_S)"
                )
            )

    def _check_stop(self, connection: Connection, wait: Wait, stopping_s: float) -> None:
        stop_s = self.limits.stop_s
        if stopping_s > (STOP_NEW_S if wait == "request" else stop_s - CUT_BEFORE_S):
            connection.close()
        elif stopping_s > stop_s - REFUSE_BEFORE_S and wait in ("head", "body"):
            connection.refuse(UnavailableError("the server stops, and the request was not complete; send it again"))

    def _late_s(self, connection: Connection, watch: _Watch, now: float) -> float:
        if connection.wait != watch.wait or connection.turn is not watch.turn:
            return 0.0  # it has done something since the last sweep
        moved_bytes = connection.moved_bytes - watch.moved_bytes
        return now - watch.since - moved_bytes / MIN_BYTES_PER_S

    def _make_room(self, among: Iterable[Connection], new: Connection, limit: int, name: str) -> None:
        """Close the latest connections, 2 in 100 at a time, or refuse the new one if the server works for all."""
        now = time.monotonic()
        late = [
            (self._late_s(each, self._watches[each], now), number, each)
            for number, each in enumerate(among)
            if each is not new and each.wait
        ]
        latest = heapq.nlargest(max(1, limit // 50), late)
        for _, _, each in latest:
            self.remove(each)  # now: the event loop learns later that it is closed
            each.close()
        if latest:
            self._log("%d connections are open, the limit (%s): the latest ones were closed", limit, name)
        elif len(self._watches) > self.limits.connections + REFUSALS:
            new.close()
        else:
            new.refuse(OverloadedError(f"{limit} connections are open, the limit ({name})", RETRY_S))

    def _log(self, message: str, *arguments: object) -> None:
        """Log at most one line per LOG_S: what a client can repeat must not fill the log."""
        now = time.monotonic()
        if now - self._logged_at >= LOG_S:
            self._logged_at = now
            logger.warning(message, *arguments)
