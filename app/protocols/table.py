"""The protocols that the service speaks over HTTP."""

from app.protocols import invocations, open_inference_v2, tf_serving_v1
from app.protocols.router import ProtocolRouter
from app.settings import VertexAi


def protocol_routers() -> tuple[ProtocolRouter, ...]:
    """Return the routers of one application; each owns the counts of its protocol."""
    return (open_inference_v2.router(), tf_serving_v1.router(), invocations.router())


def platform_routers(vertex_ai: VertexAi) -> tuple[ProtocolRouter, ...]:
    """Return the routers of paths that a hosting platform names, which may be those of other calls."""
    router = invocations.vertex_ai_router(vertex_ai)
    return (router,) if router.routes else ()
