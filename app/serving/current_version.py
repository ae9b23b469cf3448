"""The version being served: read from the registry, replaced in one assignment."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import DatabaseError

from app.errors import UnavailableError
from app.serving.spare_cores import SPARE_CORES
from inkling.errors import CheckpointError, UnknownVersionError
from inkling.network import checkpoint
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.predictor import Predictor
from inkling.registry.records import Version
from inkling.registry.registry import Registry

RETRY_S = 10.0
"""Seconds between two attempts to load a promoted version that does not load."""
NO_VERSION = 0
"""The number under which the shipped network is served if no version of the registry loads."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedVersion:
    predictor: Predictor
    version: Version
    """Its record in the registry."""


class CurrentVersion:
    """Owns which predictor answers.

    A promoted version that does not load is refused, and the last good one continues. If there is none yet, the newest
    one that loads takes its place, and at last the network that ships: a flipped bit must not end the service. No
    version of another dataset takes its place: its answers would mean something else.
    """

    def __init__(self, registry: Registry, retry_s: float = RETRY_S) -> None:
        self._registry = registry
        self._retry_s = retry_s
        self._served: ServedVersion | None = None
        self._promotion_id: int | None = None
        self._tried_at = 0.0
        self._polling = threading.Lock()
        self._looked_at = time.monotonic()
        self.refused: str | None = None
        """Why the newest promotion is not served, and what is served instead, in words; None if it is served."""

    @property
    def served(self) -> ServedVersion:
        """The version to answer with.

        Raises:
            UnavailableError: none is loaded yet.
        """
        if self._served is None:
            raise UnavailableError("no version is loaded yet; try again in a moment")
        return self._served

    @property
    def version(self) -> Version | None:
        """The record of the version that answers; None if none is loaded yet."""
        return self._served.version if self._served else None

    @property
    def predictor(self) -> Predictor:
        """The predictor to answer with.

        Raises:
            UnavailableError: none is loaded yet.
        """
        return self.served.predictor

    @property
    def age_s(self) -> float:
        """Seconds since the registry was last asked which version is promoted, and answered."""
        return time.monotonic() - self._looked_at

    def poll(self) -> None:
        """Read which version is promoted, and serve it if it is not served yet. Blocks: not for the event loop."""
        with self._polling:
            promotion = self._registry.versions.look_at_served()
            self._looked_at = time.monotonic()
            if promotion is None or (promotion.id == self._promotion_id and not self._is_retry_due()):
                return
            try:
                self._served = load_version(self._registry, promotion.version)
            except CheckpointError as error:
                self._refuse(promotion.version, error)
            else:
                self.refused = None
                logger.info("serving version %d: %s", promotion.version, promotion.reason)
            self._promotion_id, self._tried_at = promotion.id, time.monotonic()

    def _is_retry_due(self) -> bool:
        return self.refused is not None and time.monotonic() - self._tried_at >= self._retry_s

    def _refuse(self, version: int, error: CheckpointError) -> None:
        """Serve another version than the promoted one: the last good one, or else the first that loads."""
        self._served = self._served or next(self._fallbacks(version), None)
        source = self._describe_stand_in(version)
        refused = (
            f"version {version} is refused: {error}; {source} is served instead, `inkling verify --repair` mends it"
        )
        if refused != self.refused:
            logger.error("%s", refused)
        self.refused = refused

    def _describe_stand_in(self, refused: int) -> str:
        if self._served is None:
            return "no other version learned its dataset, so none"
        instead = self._served.version.version
        if instead == refused:
            return "its copy in the installed package"
        return f"version {instead}" if instead != NO_VERSION else "the network that ships"

    def _fallbacks(self, refused: int) -> Iterator[ServedVersion]:
        """Yield the versions that load, in the order in which they stand in for a refused one."""
        shipped = load_pretrained()
        record = self._registry.versions.get(refused)
        if record.digest == shipped.digest:
            yield _served(shipped, record)
        for version in self._registry.versions.fallbacks():
            try:
                yield load_version(self._registry, version)
            except (CheckpointError, UnknownVersionError) as error:
                logger.warning("version %d cannot stand in: %s", version, error)
        if not record.learned.shows_digits:  # it would answer digits
            return
        yield _served(
            shipped,
            Version(
                version=NO_VERSION,
                run_id=None,
                digest=shipped.digest,
                size_bytes=len(shipped.content),
                evaluation=shipped.card.evaluation,
                measured_by="release",
                created_at=record.created_at,
                origin="shipped",
                dataset=shipped.card.dataset,
                classes=shipped.card.learned.classes,
            ),
        )


def load_version(registry: Registry, version: int) -> ServedVersion:
    """Load and check a version. Blocks: not for the event loop.

    Raises:
        CheckpointError: it is damaged.
        UnknownVersionError: there is none, or it was deleted.
    """
    record = registry.versions.get(version)
    try:
        content = registry.versions.checkpoint(version)
    except DatabaseError as error:
        if "malformed" not in str(error):  # the database cannot be read at all
            raise
        raise CheckpointError(f"its row in the database is damaged: {error.orig}") from error
    loaded = checkpoint.load(content)
    if loaded.digest != record.digest:
        raise CheckpointError(f"its SHA-256 is {loaded.digest}, recorded was {record.digest}")
    return _served(loaded, record)


def _served(loaded: Checkpoint, record: Version) -> ServedVersion:
    classifier = Classifier(loaded, record.version, SPARE_CORES.map)
    classifier.self_check()
    return ServedVersion(Predictor(classifier), record)
