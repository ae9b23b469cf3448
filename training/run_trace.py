"""The trace of a run: it begins with the request that queued it, and goes on in its trainer."""

from collections.abc import Iterator
from contextlib import contextmanager

from inkling.logging_config import LOG_FIELDS
from inkling.registry.records import Run
from inkling.trace_context import trace_id_of
from inkling.tracing import TRACING


@contextmanager
def run_trace(run: Run) -> Iterator[None]:
    """Name a run and its trace in the log, and make the span `run` if traces are on, while the context is open."""
    attributes = {"inkling.run": run.id, "inkling.attempt": run.attempt}
    with TRACING.continued("run", "CONSUMER", run.traceparent, attributes):
        traceparent = TRACING.traceparent() or run.traceparent
        token = LOG_FIELDS.set({"run": run.id, "trace_id": trace_id_of(traceparent)})
        try:
            yield
        finally:
            LOG_FIELDS.reset(token)
