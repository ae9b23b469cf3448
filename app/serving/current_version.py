"""The version being served: read from the registry, replaced in one assignment."""

import logging
import threading

from app.errors import UnavailableError
from inkling.errors import CheckpointError
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Predictor
from inkling.registry.records import Promotion
from inkling.registry.registry import Registry

logger = logging.getLogger(__name__)


class CurrentVersion:
    """Owns which predictor answers. A version that does not load is refused, and the last good one continues."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._predictor: Predictor | None = None
        self._promotion_id: int | None = None
        self._polling = threading.Lock()
        self.refused: str | None = None
        """Why the newest promotion is not served, in words; None if it is served."""

    @property
    def predictor(self) -> Predictor:
        """The predictor to answer with.

        Raises:
            UnavailableError: none is loaded yet.
        """
        if self._predictor is None:
            raise UnavailableError(self.refused or "no version is loaded yet; try again in a moment")
        return self._predictor

    def poll(self) -> None:
        """Read which version is promoted, and serve it if it is not served yet. Blocks: not for the event loop."""
        with self._polling:
            promotion = self._registry.versions.served()
            if promotion is None or promotion.id == self._promotion_id:
                return
            try:
                self._predictor = self._load(promotion)
            except CheckpointError as error:
                self.refused = f"version {promotion.version} is refused: {error}"
                logger.error(self.refused)
            else:
                self.refused = None
                logger.info("serving version %d: %s", promotion.version, promotion.reason)
            self._promotion_id = promotion.id

    def _load(self, promotion: Promotion) -> Predictor:
        loaded = checkpoint.load(self._registry.versions.checkpoint(promotion.version))
        expected = self._registry.versions.get(promotion.version).digest
        if loaded.digest != expected:
            raise CheckpointError(f"its SHA-256 is {loaded.digest}, recorded was {expected}")
        classifier = Classifier(loaded, promotion.version)
        classifier.self_check()
        return Predictor(classifier)
