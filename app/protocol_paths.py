"""The paths of other servers' protocols, where an error has the shape that their clients read."""

from typing import Final

PREFIXES: Final = ("/v1/", "/v2/")
PATHS: Final = frozenset((*(prefix.rstrip("/") for prefix in PREFIXES), "/invocations", "/score"))

_NAMES: Final = (
    ("/v1", "tensorflow serving v1"),
    ("/v2", "open_inference_v2"),
    ("/invocations", "invocations"),
    ("/score", "invocations"),
    ("/inference.", "open_inference_grpc"),
    ("/tensorflow.", "tensorflow serving grpc"),
)


def is_protocol_path(path: str) -> bool:
    """Return whether a path belongs to one of these protocols; TensorFlow Serving's are in any case."""
    return path[:4].lower() in PREFIXES or path.lower().rstrip("/") in PATHS


def protocol_of(route: str) -> str:
    """Return the name of the protocol of a call, as the metrics have it.

    Args:
        route: the template of its path; of gRPC, `/service/method`.
    """
    return next((name for prefix, name in _NAMES if route.startswith(prefix)), "inkling")
