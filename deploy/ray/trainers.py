"""Trainers as Ray tasks: `serve run deploy.ray.trainers:app`, beside the service.

A task is the run loop of `inkling worker`: it claims, trains and publishes runs through the registry, with a lease on
each. Ray retries a task whose process or node dies; its run goes back to the queue when its lease expires, and
continues from its last snapshot. This deployment only decides how many tasks there are; Ray adds nodes for them.
"""

import asyncio
import logging

import ray
from ray import serve
from ray.exceptions import RayError
from sqlalchemy.exc import SQLAlchemyError

from inkling.registry.database_errors import describe_database_error
from inkling.registry.records import Workload
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings

IDLE_EXIT_S = 60.0
"""A trainer without a run keeps TensorFlow and the dataset for as long. Longer than a lease, and the grace before an
expired one is taken over: a retried task does not end before it can continue the run of the one that died."""
POLL_S = 1.0
RESTART_S = 30.0
"""A trainer that fails at its start is not started in a loop."""

logger = logging.getLogger(__name__)


@ray.remote(num_cpus=1, max_retries=-1, max_calls=1)
def train_runs(settings: StoreSettings, number: int, idle_exit_s: float) -> None:
    """Train queued runs in a process of its own, until none was queued for so long."""
    from training.worker import work  # noqa: PLC0415  TensorFlow is on the nodes of trainers only

    logging.basicConfig(level=logging.INFO)
    work(settings.model_copy(update={"trainer_threads": settings.trainer_threads or 1}), idle_exit_s, number=number)


class Trainers:
    """Owns the tasks, one per number from 1 on. They end with it; Serve starts another one where it dies."""

    def __init__(self, idle_exit_s: float = IDLE_EXIT_S) -> None:
        self._settings = StoreSettings()
        self._idle_exit_s = idle_exit_s
        self._registry = Registry.from_settings(self._settings)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._following = asyncio.create_task(self._follow())  # Serve constructs deployments in its event loop

    def check_health(self) -> None:
        """Raise what has ended the loop: Serve then starts this deployment again."""
        if self._following.done():
            self._following.result()

    async def _follow(self) -> None:
        while True:
            try:
                self._start(await asyncio.to_thread(self._registry.runs.workload))
            except SQLAlchemyError as error:
                logger.warning("cannot read the registry, will retry: %s", describe_database_error(error))
            await asyncio.sleep(POLL_S)

    def _start(self, workload: Workload) -> None:
        """Start a task for each run that has none, up to INKLING_RUNS_AT_ONCE."""
        numbers = range(1, self._settings.runs_at_once + 1)
        free = [number for number in numbers if number not in self._tasks or self._tasks[number].done()]
        wanted = min(workload.queued + len(workload.leases), len(numbers))
        for number in free[: max(0, wanted - (len(numbers) - len(free)))]:
            self._tasks[number] = asyncio.create_task(self._train(number))

    async def _train(self, number: int) -> None:
        try:
            await train_runs.remote(self._settings, number, self._idle_exit_s)
        except RayError as error:
            logger.error("trainer %d ended, the next one starts in %g s: %s", number, RESTART_S, error)
            await asyncio.sleep(RESTART_S)


app = serve.deployment(Trainers, name="Trainers", num_replicas=1, ray_actor_options={"num_cpus": 0}).bind()
