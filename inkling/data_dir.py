"""The data directory: whether this process may use it, and in words why not."""

import os
from pathlib import Path

from inkling.errors import DataDirError

WRITTEN = ("inkling.db*", "*.lock")
READ = ("api_key",)


def check_data_dir(data_dir: Path) -> None:
    """Check that this process may write the directory, or make it, and use the files of Inkling in it.

    A read-only file system passes: nobody's permissions are wrong there.

    Raises:
        DataDirError: it belongs to another user, or a file in it does.
    """
    # os.path: Path.exists raises an error below a folder that this user may not enter
    folder = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if os.path.exists(path))
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return
    _require(folder, os.R_OK | os.W_OK | os.X_OK, data_dir)
    if folder == data_dir.absolute():
        for patterns, mode in ((WRITTEN, os.R_OK | os.W_OK), (READ, os.R_OK)):
            for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
                _require(path, mode, data_dir)


def _require(path: Path, mode: int, data_dir: Path) -> None:
    if os.access(path, mode):
        return
    status, user, group = path.stat(), os.geteuid(), os.getegid()
    verb = "write" if mode & os.W_OK else "read"
    raise DataDirError(
        f"{path} belongs to user {status.st_uid} and group {status.st_gid} (mode {status.st_mode & 0o7777:03o}), and "
        f"this process, of user {user} and group {group}, may not {verb} it: as root, run "
        f"`chown -R {user}:{group} {data_dir.absolute()}`; in Kubernetes, set fsGroup in the pod's securityContext"
    )
