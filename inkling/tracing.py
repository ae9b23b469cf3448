"""Spans of OpenTelemetry, with the extra `otel`: off unless the standard variables OTEL_* say where they go."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

STOP_S: Final = 2.0
"""Seconds in which the last spans may be sent when a process ends."""
_PROTOCOL: Final = "http/protobuf"
_NOTHING: Final = nullcontext()

Attributes = Mapping[str, str | int | float]

logger = logging.getLogger(__name__)


class Tracing:
    """Owns the tracer of this process. While it is off, it imports nothing of OpenTelemetry, and no call does anything.

    A span is part of the request or the run that is current and recorded; what a server does by itself makes none.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.provider: TracerProvider | None = None
        """For FastAPI, which makes the spans of requests."""
        self._tracer: Any = None

    def start(self, service: str, version: str, environment: Mapping[str, str] = os.environ) -> None:
        """Send spans to the collector that the variables OTEL_* name, if they name one.

        Tracing must not keep a service from starting: what is wrong with it is a warning in the log.

        Args:
            service: the name of this program, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES has one.
            version: of Inkling.
            environment: the variables that switch it on; the SDK reads all others.
        """
        if self.is_on or not _is_wanted(environment):
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider as SdkProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

            names = {} if _names_service(environment) else {"service.name": service}
            resource = Resource.create({**names, "service.version": version})
            provider = SdkProvider(resource=resource, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        except ModuleNotFoundError as error:
            logger.warning("OTEL_* asks for traces, and %s; none are made: pip install '.[otel]'", error)
            return
        except ValueError as error:
            logger.warning("no traces are made, a variable OTEL_* is wrong: %s", error)
            return
        self.provider, self._tracer, self.is_on = provider, provider.get_tracer("inkling", version), True

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Send the last spans; those that a collector does not take in time are lost."""
        if self.provider is None:
            return
        shutdown = threading.Thread(target=getattr(self.provider, "shutdown", None), daemon=True)
        self.is_on, self.provider = False, None
        shutdown.start()
        shutdown.join(timeout_s)

    def span(self, name: str) -> AbstractContextManager[object]:
        """Return a context whose time is a span of the current request or run; it does nothing without one."""
        if not self.is_on or not _current_span().is_recording():
            return _NOTHING
        context: AbstractContextManager[object] = self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )
        return context

    def record(self, name: str, started: float, ended: float) -> None:
        """Make a span of what was measured, in seconds of `time.perf_counter`."""
        if not self.is_on or not _current_span().is_recording():
            return
        offset_ns = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(name, start_time=offset_ns + round(started * 1e9))
        span.end(offset_ns + round(ended * 1e9))

    @contextmanager
    def continued(
        self, name: str, kind: Literal["SERVER", "CONSUMER"], traceparent: str | None, attributes: Attributes
    ) -> Iterator[None]:
        """Make a span of what another process asked for, in the trace that it names, or in a new one."""
        if not self.is_on:
            yield
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
        with self._tracer.start_as_current_span(
            name, parent, SpanKind[kind], attributes, record_exception=False, set_status_on_exception=False
        ):
            yield

    def describe(self, attributes: Attributes, *, name: str | None = None, is_failed: bool = False) -> None:
        """Add attributes to the current span, and change its name; or mark it as failed."""
        if not self.is_on:
            return
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        span = _current_span()
        span.set_attributes(attributes)
        if name is not None:
            span.update_name(name)
        if is_failed:
            span.set_status(StatusCode.ERROR)

    def traceparent(self) -> str | None:
        """Return the current span as W3C Trace Context names it; None without one."""
        if not self.is_on:
            return None
        context = _current_span().get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


TRACING: Final = Tracing()


def _current_span() -> Any:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415  only while it is on

    return get_current_span()


def _is_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether the variables name a collector; warn of what is not supported."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporter == "none" or not (exporter or any(environment.get(name) for name in endpoints)):
        return False
    if exporter not in ("", "otlp"):
        logger.warning("no traces are made: OTEL_TRACES_EXPORTER=%s, expected otlp or none", exporter)
        return False
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((environment[name] for name in names if environment.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        logger.warning("no traces are made: OTEL_EXPORTER_OTLP_PROTOCOL=%s, expected %s", protocol, _PROTOCOL)
    return protocol == _PROTOCOL


def _names_service(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
