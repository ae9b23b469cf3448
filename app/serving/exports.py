"""The exports of versions: written one at a time, in a thread; the last ones are kept."""

from collections import OrderedDict

from anyio import CapacityLimiter, to_thread

from inkling.exports.formats import Export, Format, export
from inkling.exports.network import PortableNetwork, Weights
from inkling.registry.registry import Registry

KEPT = 4
"""Exports that are kept in memory; each has at most 2 MB."""


class Exports:
    """Writes exports and owns those that are kept. A version never changes, so neither do its exports."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._one_at_a_time = CapacityLimiter(1)  # each takes up to 0.4 s of CPU time and 30 MB
        self._kept: OrderedDict[tuple[int, str, Format, Weights], Export] = OrderedDict()

    async def get(self, version: int, format_name: Format, weights: Weights) -> Export:
        """Return a version as one file.

        Raises:
            UnknownVersionError: there is no such version.
            CheckpointError: its checkpoint file is damaged.
            ExportError: it cannot be exported with these weights.
            MissingPackageError: the format needs a package that is not installed.
        """
        return await to_thread.run_sync(self._get, version, format_name, weights, limiter=self._one_at_a_time)

    def _get(self, version: int, format_name: Format, weights: Weights) -> Export:
        key = (version, self._registry.versions.get(version).digest, format_name, weights)
        if key not in self._kept:
            content = self._registry.versions.checkpoint(version)
            self._kept[key] = export(PortableNetwork.load(content, version, weights), format_name)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
