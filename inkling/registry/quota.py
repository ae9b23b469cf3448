"""The quota of versions: how many a registry may hold, and how many bytes of checkpoint files."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from inkling.errors import VersionQuotaError
from inkling.registry.tables import versions


@dataclass(frozen=True)
class VersionQuota:
    max_versions: int
    max_bytes: int

    def require_room(self, connection: Connection, size_bytes: int = 0, more: int = 1) -> None:
        """Check that one more version, of this size, may be added; or `more` ones.

        Raises:
            VersionQuotaError: a limit would be exceeded.
        """
        query = select(func.count(), func.coalesce(func.sum(versions.c.size_bytes), 0))
        count, held_bytes = connection.execute(query.where(versions.c.deleted_at.is_(None))).one()
        if count + more > self.max_versions:
            wanted = "" if more == 1 else f" and up to {more} would be added"
            raise VersionQuotaError(f"there are {count} versions{wanted}, the limit is {self.max_versions}")
        if held_bytes + size_bytes > self.max_bytes:
            raise VersionQuotaError(
                f"the checkpoint files of {count} versions hold {held_bytes} bytes"
                + (f", this one {size_bytes}" if size_bytes else "")
                + f"; the limit is {self.max_bytes} in all"
            )
