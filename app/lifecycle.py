"""The service's life: open the registry and load a version, poll, and stop in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import State

from app.admission.admission import Admission
from app.admission.key_guesses import KeyGuesses
from app.bodies.limits import UploadLimits
from app.connections.limits import ConnectionLimits
from app.connections.open_connections import OpenConnections
from app.connections.stop import CLOSE_S, announced_stop, stop_with_parent
from app.decoders.pool import DecoderPool
from app.observability import families
from app.observability.exposition import Exposition
from app.observability.metrics import Metrics
from app.observability.registry_figures import RegistryFigures
from app.security import resolve_key
from app.serving.activating_images import ActivatingImageFinder
from app.serving.current_version import CurrentVersion
from app.serving.exports import Exports
from app.serving.feedback import Feedback
from app.serving.inference import Inference
from app.serving.misread import MisreadFinder
from app.serving.numbered_versions import NumberedVersions
from app.serving.run_feeds import RunFeeds
from app.serving.scoring import Scoring
from app.serving.time_slices import TimeSlices
from app.serving.trainers import Trainers
from app.serving.training_throttle import TrainingThrottle
from app.settings import Settings
from inkling.cpus import count_cpus
from inkling.errors import RegistryError
from inkling.network.pretrained import load_pretrained
from inkling.registry.database_errors import describe_database_error
from inkling.registry.registry import Registry

if TYPE_CHECKING:
    from app.protocols.grpc_server import GrpcServer

MAX_DECODERS = 3
"""By default; each takes some 30 MB."""

STOP_SILENCE_S = 3.0
"""The longest that a call waits for the next bytes of the database's answer once the server stops."""

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def run(
    app: FastAPI, settings: Settings, metrics: Metrics, admission: Admission
) -> AsyncIterator[OpenConnections]:
    """Set what `app.dependencies` injects, serve while the context is open, and stop the trainers at its end."""
    state, time_slices = app.state, TimeSlices()
    state.settings, state.metrics = settings, metrics
    state.uploading = CapacityLimiter(1)
    state.stopping = asyncio.Event()
    state.key_guesses = KeyGuesses()
    state.registry, state.current_version, state.api_key = await asyncio.to_thread(_open, settings)
    state.exports = Exports(state.registry)
    limits = UploadLimits.from_settings(settings)
    decoders = DecoderPool(
        settings.decoders or min(count_cpus(), MAX_DECODERS),
        settings.max_decoder_cpu_s,
        limits.picture,
        settings.max_body_bytes,
        metrics.count_decoder_end,
    )
    _report(metrics, decoders, state.current_version)
    threads = CapacityLimiter(count_cpus())
    state.inference = Inference(state.current_version, limits, metrics, decoders, threads, settings.digit_threshold)
    state.feedback = Feedback.from_settings(settings, state.registry, state.inference)
    versions = NumberedVersions(state.registry, state.current_version, settings.registry_poll_s)
    state.scoring = Scoring(state.inference, versions)
    _set_finders(state, settings, versions)
    decoders.start()
    connection_limits = ConnectionLimits.from_settings(settings)
    connections = OpenConnections(connection_limits, metrics, access_log=settings.access_log)
    state.run_feeds = RunFeeds(state.registry, connection_limits.event_streams)
    state.trainers = Trainers(settings, state.registry)
    figures = RegistryFigures(state.registry, metrics, settings.data_dir, state.trainers.is_any_alive)
    state.exposition = Exposition(metrics, figures)
    throttle = TrainingThrottle(settings, metrics)
    grpc = await _start_grpc(settings, metrics, admission, state)
    tasks = [
        asyncio.create_task(_poll(state.current_version, state.trainers, time_slices, settings.registry_poll_s)),
        asyncio.create_task(throttle.watch()),
        asyncio.create_task(state.run_feeds.follow()),
        asyncio.create_task(connections.watch()),
        asyncio.create_task(metrics.watch()),
        asyncio.create_task(figures.watch()),
    ]

    def begin_stop() -> None:
        state.registry.hasten(STOP_SILENCE_S)
        state.stopping.set()
        if connections.is_stopping:
            return
        # the trainers have the time of the open requests, not the time after it
        tasks.append(asyncio.create_task(asyncio.to_thread(state.trainers.stop)))
        state.run_feeds.close()
        connections.stop()
        if grpc is not None:
            tasks.append(asyncio.create_task(grpc.drain(CLOSE_S)))

    stop_with_parent()
    try:
        with announced_stop(
            state.stopping.set, begin_stop, connections.listeners, drain_s=settings.drain_s, stop_s=settings.stop_s
        ):
            yield connections
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if grpc is not None:
            await grpc.drain()
        await decoders.stop()
        await asyncio.to_thread(state.trainers.stop)
        state.registry.close()


def _set_finders(state: State, settings: Settings, versions: NumberedVersions) -> None:
    """Set what finds the images that explain a version."""
    state.misread = MisreadFinder(settings, versions, state.uploading)
    state.activating_images = ActivatingImageFinder(settings, versions)


def _report(metrics: Metrics, decoders: DecoderPool, current_version: CurrentVersion) -> None:
    metrics.report(families.REGISTRY_AGE, lambda: current_version.age_s)
    metrics.report(families.WAITING, lambda: decoders.waiting)
    metrics.report(families.RUNNING, lambda: decoders.running)


async def _start_grpc(settings: Settings, metrics: Metrics, admission: Admission, state: State) -> "GrpcServer | None":
    """Start the gRPC server if a port is set; it needs packages of an extra."""
    if settings.grpc_port is None:
        return None
    from app.protocols.grpc_services import grpc_server  # noqa: PLC0415

    server = grpc_server(settings, admission, metrics, state.scoring, state.stopping)
    await server.start()
    return server


def _open(settings: Settings) -> tuple[Registry, CurrentVersion, str | None]:
    registry = Registry.from_settings(settings)
    registry.versions.add_first(load_pretrained())
    current_version = CurrentVersion(registry)
    current_version.poll()
    key, _ = resolve_key(settings)
    return registry, current_version, key


async def _poll(
    current_version: CurrentVersion, trainers: Trainers, time_slices: TimeSlices, interval_s: float
) -> None:
    """Serve the promoted version, and have queued runs trained, until the server stops."""

    def adapt() -> None:
        with contextlib.suppress(OSError):  # in this data directory no lock can be opened
            time_slices.adapt(is_trainer_alive=trainers.is_any_alive())

    is_reached, own_thread = True, CapacityLimiter(1)  # those of other calls may all wait for a database
    while True:
        try:
            for look in (current_version.poll, trainers.ensure, adapt):
                await run_sync(look, limiter=own_thread, abandon_on_cancel=True)
            is_reached = True
        except (SQLAlchemyError, RegistryError) as error:
            if is_reached:
                words = describe_database_error(error) if isinstance(error, SQLAlchemyError) else str(error)
                logger.error("cannot read the registry, will keep retrying: %s", words)
            is_reached = False
        except Exception as error:  # no failure of the registry may end the polling
            if is_reached:
                logger.exception("cannot read the registry, will keep retrying: %s", error)
            is_reached = False
        await asyncio.sleep(interval_s)
