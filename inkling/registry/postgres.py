"""Connections to PostgreSQL that wait for no answer without end, and that poolers in transaction mode take."""

import time
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import psycopg
from sqlalchemy import URL, Connection, Engine, Row, Select, event, text
from sqlalchemy.exc import InvalidatePoolError, OperationalError

CONNECT_S = 5
"""Seconds until a host that does not answer is given up, and the next one is tried."""
PING_S = 3.0
"""Seconds that the check of an idle connection waits for an answer."""
ANSWER_MARGIN = 1.25
"""The wait for an answer is so much longer than that for a lock: PostgreSQL's own error comes first."""
IDLE_S = 60
"""A client that stopped in a transaction, or whose machine is gone, must not keep its locks for longer."""


_IS_UNCHECKED: ContextVar[bool] = ContextVar("is_unchecked", default=False)
"""Whether connections are taken from the pool without a check."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the database sends nothing for `silence_s` seconds while it should answer.

    TCP does not end such a connection if a proxy, a firewall or a virtual machine that is moved still acknowledges.
    """

    silence_s = PING_S
    is_new = True

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, generator: Any) -> Generator[Any, Any, Any]:
        """Run a generator of psycopg, which is sent 0 every few milliseconds while nothing comes.

        Raises:
            psycopg.OperationalError: nothing came for too long, and the connection is closed.
        """
        heard_at = time.monotonic()
        try:
            wanted = next(generator)
            while True:
                ready = yield wanted
                if ready:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > self.silence_s:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the database has not answered for {self.silence_s:g} s")
                wanted = generator.send(ready)
        except StopIteration as end:
            return end.value


def connect_arguments(url: URL, timeout_s: float) -> dict[str, Any]:
    """Return what connections are made with, beside the URL, which comes first.

    No startup options: PgBouncer and Neon refuse them. No prepared statements: in transaction mode a pooler may send
    the next transaction to another server process.
    """
    defaults = {
        "connect_timeout": CONNECT_S,
        "prepare_threshold": None,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": round(1000 * timeout_s),
    }
    return {name: value for name, value in defaults.items() if name not in url.query}


class Patience:
    """How long the connections of an engine wait for an answer; idle ones are checked before use, for PING_S.

    Args:
        engine: whose connections become bounded ones.
        timeout_s: the limit on locks.
    """

    def __init__(self, engine: Engine, timeout_s: float) -> None:
        self._dialect: Any = engine.dialect  # its connections are psycopg's own
        self._limit_s = timeout_s * ANSWER_MARGIN
        self._connections: WeakSet[BoundedConnection] = WeakSet()
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "checkout", self._checkout)
        event.listen(engine, "checkin", self._checkin)

    def shorten(self, silence_s: float) -> None:
        """Wait no longer than this from now on, also in calls that wait already. For any thread."""
        self._limit_s = min(self._limit_s, silence_s)
        for connection in list(self._connections):
            connection.silence_s = min(connection.silence_s, silence_s)

    def _connect(
        self, _dialect: Any, _record: Any, arguments: list[Any], parameters: dict[str, Any]
    ) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **parameters)
        self._connections.add(connection)
        return connection

    def _checkout(self, connection: BoundedConnection, *_: Any) -> None:
        is_new, connection.is_new = connection.is_new, False
        if _IS_UNCHECKED.get():
            return
        if not is_new:
            try:
                self._dialect.do_ping(connection)
            except psycopg.Error as error:
                raise InvalidatePoolError from error  # those beside it are lost, too; it is replaced
        connection.silence_s = self._limit_s

    def _checkin(self, connection: BoundedConnection | None, _record: Any) -> None:
        if connection is not None:  # None: SQLAlchemy has closed it
            connection.silence_s = min(PING_S, self._limit_s)


def begin_bounded(connection: Connection, timeout_s: float) -> None:
    """Begin a transaction with its limits. They end with it, so poolers in transaction mode pass them on."""
    limits = f"SET LOCAL lock_timeout = {round(1000 * timeout_s)}; "
    connection.execute(text(limits + f"SET LOCAL idle_in_transaction_session_timeout = {1000 * IDLE_S}"))


def run_alone(engine: Engine, query: Select[Any]) -> Sequence[Row[Any]]:
    """Run a query as a transaction of its own: one statement, where others take five.

    Its connection is not checked first. If that was lost, which shows within PING_S, the query is run again.
    """
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    token = _IS_UNCHECKED.set(True)
    try:
        with alone.connect() as connection:
            return connection.execute(query).all()
    except OperationalError as error:
        if not error.connection_invalidated:
            raise
    finally:
        _IS_UNCHECKED.reset(token)
    with alone.connect() as connection:
        return connection.execute(query).all()


def allow_silence(connection: Connection, silence_s: float) -> None:
    """Let the statements of this transaction take as long, each."""
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, BoundedConnection)  # noqa: S101  as connected
    driver_connection.silence_s = silence_s


def shrink(engine: Engine, silence_s: float) -> None:
    """Rewrite the table of the checkpoint files, which takes as long as the files that are left.

    PostgreSQL keeps the space of deleted rows for new ones, and most of it was of checkpoint files. Nobody can load a
    version while their table is rewritten. Of the other tables, the space is noted as free.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        allow_silence(connection, silence_s)
        connection.execute(text("VACUUM FULL checkpoints"))
        connection.execute(text("VACUUM (ANALYZE)"))
