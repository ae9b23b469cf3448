"""The paths of other servers' protocols, where an error has the shape that their clients read."""

from typing import Final

PREFIXES: Final = ("/v1/", "/v2/")
PATHS: Final = frozenset((*(prefix.rstrip("/") for prefix in PREFIXES), "/invocations", "/score"))


def is_protocol_path(path: str) -> bool:
    """Return whether a path belongs to one of these protocols; TensorFlow Serving's are in any case."""
    return path[:4].lower() in PREFIXES or path.lower().rstrip("/") in PATHS
