"""The protocols that the service speaks over HTTP."""

from app.protocols import open_inference_v2
from app.protocols.router import ProtocolRouter


def protocol_routers() -> tuple[ProtocolRouter, ...]:
    """Return the routers of one application; each owns the counts of its protocol."""
    return (open_inference_v2.router(),)
