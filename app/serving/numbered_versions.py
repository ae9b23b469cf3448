"""The versions that requests name by their numbers, beside the one that is served."""

import asyncio
import time
from collections.abc import Callable

from app.errors import UnavailableError
from app.serving.current_version import CurrentVersion, load_version
from inkling.errors import CheckpointError, UnknownVersionError
from inkling.predictor import Predictor
from inkling.registry.records import MAX_ID
from inkling.registry.registry import Registry

MAX_LOADED = 4
"""Versions in memory beside the served one, 3 MB each; the one used longest ago makes room."""

MAX_LISTED = 1000
"""Versions that are listed: as many as a registry holds by default."""


class NumberedVersions:
    """Owns the loaded versions. Of one event loop.

    Args:
        registry: that holds them.
        current: the version that is served, which needs no second copy.
        recheck_s: seconds after which it is asked again whether a version was deleted.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        registry: Registry,
        current: CurrentVersion,
        recheck_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._current = current
        self._recheck_s = recheck_s
        self._clock = clock
        self._loaded: dict[int, Predictor] = {}
        self._checked_at: dict[int, float] = {}
        self._loading = asyncio.Lock()

    async def predictor(self, version: int | None) -> Predictor:
        """Return the predictor of a version; None: of the one that is served.

        Raises:
            UnknownVersionError: there is no such version.
            UnavailableError: none is loaded yet, or this one is damaged.
        """
        served = self._current.predictor
        if version is None or version == served.version:
            return served
        if not 1 <= version <= MAX_ID:
            raise UnknownVersionError(f"there is no version {str(version)[:40]}")
        if self._clock() - self._checked_at.get(version, -self._recheck_s) < self._recheck_s:
            return self._loaded[version]
        async with self._loading:  # one load after another: each takes 20 ms of CPU
            return await self._checked(version)

    async def numbers(self) -> list[int]:
        """Return the numbers of the newest MAX_LISTED versions of the registry, in ascending order."""
        newest = await asyncio.to_thread(self._registry.versions.newest, MAX_LISTED)
        return [version.version for version in reversed(newest)]

    async def _checked(self, version: int) -> Predictor:
        found = self._loaded.pop(version, None)
        self._checked_at.pop(version, None)
        if found is None:
            try:
                loaded = await asyncio.to_thread(load_version, self._registry, version)
            except CheckpointError as error:
                raise UnavailableError(f"version {version} cannot be loaded: {error}") from error
            found = loaded.predictor
        else:
            await asyncio.to_thread(self._registry.versions.get, version)
        self._loaded[version], self._checked_at[version] = found, self._clock()
        if len(self._loaded) > MAX_LOADED:
            oldest = next(iter(self._loaded))
            del self._loaded[oldest], self._checked_at[oldest]
        return found
