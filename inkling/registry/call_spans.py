"""The spans of calls of the registry: one for each transaction of a request or a run that is traced."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import ParamSpec

from sqlalchemy import Connection

from inkling.tracing import TRACING

P = ParamSpec("P")

Transaction = AbstractContextManager[Connection]


def as_span(open_transaction: Callable[P, Transaction]) -> Callable[P, Transaction]:
    """Have each transaction that a function opens be a span, named after the method that calls it: `Runs.queue`."""

    @wraps(open_transaction)
    def open_traced(*arguments: P.args, **options: P.kwargs) -> Transaction:
        transaction = open_transaction(*arguments, **options)
        if not TRACING.is_on:
            return transaction
        return _in_span(sys._getframe(1).f_code.co_qualname, transaction)

    return open_traced


@contextmanager
def _in_span(name: str, transaction: Transaction) -> Iterator[Connection]:
    with TRACING.span(f"registry {name}"), transaction as connection:
        yield connection
