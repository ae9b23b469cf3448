"""The single store that servers and trainers share: runs, versions with their bytes, and which version is served.

Every public method is one transaction, so a kill at any moment leaves the state before it or the state after it.
"""

from inkling.network.checkpoint import Checkpoint
from inkling.registry.database import Database
from inkling.registry.records import Claim, Version
from inkling.registry.runs import RunStore
from inkling.registry.verification import problems_of
from inkling.registry.versions import Decide, VersionStore


class Registry(RunStore, VersionStore):
    """Opens the database at a SQLAlchemy URL, and brings its schema up to date.

    Raises:
        SchemaError: the database was made by a newer Inkling.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    def close(self) -> None:
        self._database.close()

    def publish(self, claim: Claim, checkpoint: Checkpoint, decide: Decide) -> Version:
        """Add a run's version, end the run, and record the decision whether the version is served: all or nothing.

        Raises:
            LeaseLostError: the run is no longer this trainer's; nothing is published.
        """
        with self._database.write() as connection:
            self._update_claimed(connection, claim, {})
            version = self._add(connection, checkpoint, "run", claim.run.id)
            served = self._served(connection)
            decision = decide(self._checkpoint(connection, served.version) if served else None)
            values = {
                "state": "succeeded",
                "step": claim.run.total_steps,
                "version": version.version,
                "decision": decision.reason,
            }
            self._end(connection, claim.run.id, values)
            self._decide(connection, version.version, claim.run.promote, decision, served)
            return version

    def verify(self) -> list[str]:
        """Return what is inconsistent, a sentence each; an empty list when everything holds."""
        with self._database.read() as connection:
            return problems_of(connection)
