"""The application: `create_app(settings)`."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import error_answers, lifecycle, openapi_schema
from app.admission.admission import Admission
from app.admission.forwarded import Forwarded
from app.fast.direct_answers import DirectAnswers
from app.fast.predict_route import PredictRoute
from app.observability.compression import Compression
from app.observability.counter_file import CounterFile
from app.observability.metrics import Metrics
from app.observability.middleware import RequestMiddleware
from app.protocols import hugging_face, one_route
from app.protocols.table import platform_routers, protocol_routers
from app.routes import (
    activating_images,
    docs,
    document,
    errors,
    events,
    explain,
    exports,
    feedback,
    health,
    metrics,
    misread,
    page,
    predict,
    problems,
    promotions,
    read,
    searches,
    train,
    versions,
    weights,
)
from app.serving.freed_memory import give_back_freed_memory, keep_freed_memory
from app.serving.time_slices import ask_for_exact_timers
from app.settings import Settings, VertexAi
from inkling import __version__
from inkling.tracing import TRACING

DESCRIPTION = """Inkling reads handwritten digits with the classic 784-128-256-10 perceptron: it trains the network,
keeps every trained version with its measured accuracy, and serves the chosen one."""

CORS: dict[str, Any] = {
    "allow_methods": ("GET", "HEAD", "POST"),
    "allow_headers": ("Content-Type", "X-Request-ID"),
    "expose_headers": ("ETag", "Retry-After", "Server-Timing", "X-Model-Version", "X-Request-ID"),
}
"""What pages of other origins may do: open calls only, because no header for the key is allowed."""

SWITCH_INTERVAL_S = 0.00005
"""The longest that a thread, such as one that parses a large body, keeps the event loop waiting for the interpreter.

Python's default is 5 ms. The event loop waits at each event and after each call of the system: a hundred times in a
turn with many clients.
"""
COLLECTION_THRESHOLDS = (700, 10, 1000)
"""Of the garbage collector's generations: Python's own, but a full collection, which takes 40 ms, is rare.

Requests and connections leave no cycles behind, and what others leave is mostly found by the short collections.
"""


def create_app(settings: Settings, vertex_ai: VertexAi | None = None, counters: CounterFile | None = None) -> FastAPI:
    """Return the service. It opens its registry and loads the promoted version when its lifespan begins.

    Args:
        settings: of the service.
        vertex_ai: the paths that Vertex AI names; they come before all others.
        counters: that worker processes share; None: this process is alone.
    """
    collected, admission = Metrics(counters), Admission.from_settings(settings)
    platforms = platform_routers(vertex_ai) if vertex_ai else ()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        ask_for_exact_timers()
        async with lifecycle.run(app, settings, collected, admission) as connections:
            give_back_freed_memory()
            keep_freed_memory()
            direct = None if platforms else DirectAnswers.for_app(app, settings, collected, admission)
            yield {"connections": connections, "direct": direct}  # for the HTTP protocol: the state of ASGI's lifespan
        await asyncio.to_thread(TRACING.stop)

    app = FastAPI(
        title="Inkling",
        version=__version__,
        description=DESCRIPTION,
        **openapi_schema.FRAME,
        lifespan=lifespan,
        openapi_url=None,  # app/routes/document.py answers it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect loses the bodies of some clients; the 404 names the path
        generate_unique_id_function=lambda route: route.name,
        telemetry={
            "tracing": TRACING.is_on,
            "tracer_provider": TRACING.provider,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    protocols = protocol_routers()
    app.add_middleware(Compression)
    app.add_middleware(
        RequestMiddleware,
        metrics=collected,
        max_body_bytes=settings.max_body_bytes,
        access_log=settings.access_log,
        admission=admission,
        fast_routes=(*platforms, PredictRoute(), *protocols),
    )
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origin_list, **CORS)
    trusted = settings.trusted_proxy_addresses
    if settings.root_path or trusted:
        app.add_middleware(Forwarded, root_path=settings.root_path, trusted=trusted)
    error_answers.install(app)
    openapi_schema.install(app, protocols)
    for route in (
        predict,
        explain,
        read,
        hugging_face,
        one_route,
        train,
        searches,
        events,
        weights,
        versions,
        misread,
        activating_images,
        exports,
        promotions,
        feedback,
        metrics,
        health,
        errors,
        problems,
        document,
        docs,
        page,
    ):
        app.include_router(route.router)
    docs.mount_assets(app)
    return app


def create_configured_app(counters: CounterFile | None = None) -> FastAPI:
    """Return the service with the settings of the environment: for `inkling serve`, and for uvicorn alone.

    Args:
        counters: that worker processes share; without them, each process would report its own.
    """
    TRACING.start("inkling-server", __version__)
    app = create_app(Settings(), VertexAi(), counters)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    gc.freeze()  # keeps the 90,000 objects of the imports out of full collections, each of which would take 30 ms
    return app
