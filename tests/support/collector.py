"""A collector of OpenTelemetry: it receives spans by OTLP over HTTP, as Jaeger and the OpenTelemetry Collector do."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.services import eventually


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    started: int
    """Nanoseconds, as `ended`."""
    ended: int
    is_failed: bool
    attributes: dict[str, str | int]


@dataclass
class Collector:
    url: str
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str, trace_id: str | None = None) -> Span:
        """Wait for the one span with this name, in a trace."""

        def found() -> list[Span]:
            return [each for each in list(self.spans) if each.name == name and trace_id in (None, each.trace_id)]

        (span,) = eventually(found, f"a span {name}")
        return span

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]


@contextmanager
def collect() -> Iterator[Collector]:
    """Yield a collector that listens on a free port."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            assert self.path == "/v1/traces"
            collector.spans += _read(ExportTraceServiceRequest.FromString(content))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _read(request: Any) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = _attributes(resource.resource)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Span(
                str(service),
                span.name,
                span.kind,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                span.status.code == 2,
                _attributes(span),
            )


def _attributes(item: Any) -> dict[str, str | int]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in item.attributes}
