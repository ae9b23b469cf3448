"""The periods of a worker."""

from dataclasses import dataclass
from typing import Self

from inkling.settings import StoreSettings


@dataclass(frozen=True)
class Timings:
    """The periods of a worker, in seconds."""

    lease_s: float = 30.0
    """Duration of a lease: a run whose lease is not renewed for this long may be given to another trainer."""
    poll_s: float = 1.0
    """Time between two checks for a queued run, between two checks of the pause lock, and before a write is retried."""
    away_s: float = 3600.0
    """How long the registry may be away before a run fails."""
    grace_s: float = 8.0
    """Time after an outage, and after the start, in which no expired lease is taken over: the trainer that holds it may
    have been unable to renew it. Shorter than the idle time after which a server's trainer ends."""
    snapshot_s: float = 3.0
    """Time between two snapshots: a killed trainer loses this much training and one display step at most."""
    weights_s: float = 0.25
    """Shortest time from one write of the first layer's weights, for whoever watches the run, to the next."""
    disk_full_s: float = 24 * 3600.0
    """How long a run waits for room on a full disk before it fails."""
    stall_s: float = 1800.0
    """Longest time without a display step, after which the trainer is taken to hang and lets its lease expire."""
    max_pause_s: float = 60.0
    """Longest pause; after it the run makes one more compiled call even if predictions are still slow."""

    @classmethod
    def from_settings(cls, settings: StoreSettings) -> Self:
        return cls(away_s=settings.database_away_s)
