"""Network file systems, on which SQLite's files are not safe: their locks, and the shared memory of its log."""

from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
"""Of Linux; elsewhere nothing is detected."""
NETWORK_TYPES = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda", "ceph", "glusterfs", "lustre", "gpfs"),
        *("ocfs2", "gfs2", "beegfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"),
        *("fuse.gcsfuse", "fuse.goofys", "fuse.mount-s3", "fuse.blobfuse2", "fuse.juicefs", "fuse.davfs", "davfs"),
    )
)


def network_file_system(file: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that a file is on; None if it is on none.

    Args:
        file: an absolute path.
        mounts: what Linux lists in MOUNTS; None: read it.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text("utf-8", "replace")
        except OSError:
            return None
    found, folder = "", Path("/")
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        mounted = Path(point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if file.is_relative_to(mounted) and len(mounted.parts) >= len(folder.parts):
            found, folder = kind, mounted
    return found if found in NETWORK_TYPES else None
