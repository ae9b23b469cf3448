"""The application: `create_app(settings)`."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from types import FrameType

from anyio import CapacityLimiter
from fastapi import FastAPI

from app import errors, openapi
from app.bodies.images import UploadLimits
from app.dependencies import Services
from app.fast.predict_route import DirectFastAPI
from app.observability.metrics import Metrics
from app.routes import docs, events, explain, health, metrics, page, predict, problems, promotions, train, versions
from app.security import resolve_key
from app.serving.current_version import Serving
from app.serving.trainer_process import Trainer
from app.serving.training_throttle import TrainingThrottle
from app.settings import Settings
from inkling import __version__
from inkling.network.pretrained import load_pretrained
from inkling.registry.registry import Registry

logger = logging.getLogger(__name__)

DESCRIPTION = """Inkling reads handwritten digits with the classic 784-128-256-10 perceptron: it trains the network,
keeps every trained version with its measured accuracy, and serves the chosen one."""


def create_app(settings: Settings) -> FastAPI:
    """Return the service. It opens its registry and loads the promoted version when its lifespan begins."""
    series = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = app.state.services = await asyncio.to_thread(_open, settings, series)
        throttle = TrainingThrottle(settings, series)
        tasks = [asyncio.create_task(_follow(services)), asyncio.create_task(throttle.watch())]
        try:
            with _announced_stop(services.stopping):
                yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(services.trainer.stop)
            services.registry.close()

    app = DirectFastAPI(
        around={
            "metrics": series,
            "max_body_bytes": settings.max_body_bytes,
            "access_log": settings.access_log,
        },
        title="Inkling",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    errors.install(app)
    openapi.install(app)
    for route in (predict, explain, train, events, versions, promotions, metrics, health, problems, docs, page):
        app.include_router(route.router)
    docs.mount_assets(app)
    return app


def create_configured_app() -> FastAPI:
    """Return the service with the settings of the environment: for `inkling serve --workers`, and for uvicorn alone."""
    app = create_app(Settings())
    gc.freeze()  # the 90,000 objects of the imports stay: a full collection would hold requests up for 30 ms
    return app


def _open(settings: Settings, series: Metrics) -> Services:
    registry = Registry(settings.registry_url)
    registry.versions.add_first(load_pretrained())
    serving = Serving(registry)
    serving.refresh()
    key, _ = resolve_key(settings)
    return Services(
        settings=settings,
        api_key=key,
        limits=UploadLimits.of(settings),
        registry=registry,
        serving=serving,
        trainer=Trainer(settings, registry),
        metrics=series,
        normalizing=CapacityLimiter(os.cpu_count() or 1),
        stopping=asyncio.Event(),
    )


@contextlib.contextmanager
def _announced_stop(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` when the server is told to stop.

    A server waits for its open answers before it ends the lifespan, so that a stream which waited for the lifespan's
    end would hold it up. ASGI has no word for "stop soon": uvicorn's own signal handlers are listened in on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in handlers.items():
        if callable(handler):  # the default action is none that could be called
            signal.signal(number, stop)
    try:
        yield
    finally:
        stopping.set()
        for number, handler in handlers.items():
            signal.signal(number, handler)


async def _follow(services: Services) -> None:
    """Serve what is promoted, by whomever, and have waiting runs trained, until the server stops."""
    is_reached = True
    while True:
        try:
            await asyncio.to_thread(services.serving.refresh)
            await asyncio.to_thread(services.trainer.ensure)
            is_reached = True
        except Exception as error:  # the registry's troubles must not end the following
            if is_reached:
                logger.exception("the registry cannot be followed, trying on: %s", error)
            is_reached = False
        await asyncio.sleep(services.settings.registry_poll_s)
