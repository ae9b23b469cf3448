"""One call of a protocol, and its answer, past FastAPI's layers."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import orjson
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from app.dependencies import get_ready_version
from app.protocols.json_body import SMALL_BYTES
from app.security import require_access
from app.serving.scoring import Scoring
from inkling.predictor import Predictor
from inkling.tracing import TRACING

T = TypeVar("T")

JSON = (b"content-type", b"application/json")


class ProtocolAnswer(NamedTuple):
    content: bytes
    headers: list[tuple[bytes, bytes]]
    """Without Content-Length."""
    status: int = 200


class Call:
    """A request that a route takes, and what its path holds."""

    __slots__ = ("parameters", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, parameters: dict[str, str]) -> None:
        self.scope = scope
        self.receive = receive
        self.parameters = parameters
        """The variable parts of the path, by their names in the route's template."""

    @property
    def state(self) -> Any:
        """What `app.lifecycle` sets: `current_version`, `registry`, `settings`, `stopping`, ..."""
        return self.scope["app"].state

    @property
    def scoring(self) -> Scoring:
        scoring: Scoring = self.scope["app"].state.scoring
        return scoring

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of a name in lower case."""
        for key, value in self.scope["headers"]:
            if key == name:
                found: bytes = value
                return found
        return None

    async def body(self) -> bytes:
        """Return the body, decoded from its Content-Encoding.

        Raises:
            ClientDisconnect: the client left.
            InputError: the body is too large, or its encoding is damaged or cut.
        """
        chunks: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def parsed(self, parse: Callable[..., T], body: bytes, *arguments: Any) -> T:
        """Return what `parse` makes of a body; of a large one in a thread."""
        return await self.computed(len(body), parse, body, *arguments)

    async def computed(self, body_bytes: int, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns whose work grows with the body; for a large one it runs in a thread."""
        if body_bytes <= SMALL_BYTES:
            return function(*arguments)
        return await run_sync(function, *arguments, limiter=self.state.inference.threads)

    def require_access(self) -> None:
        """Require what an unsafe call needs: the API key, or a page of this server.

        Raises:
            InputError: as `app.security.require_access`.
        """
        require_access(Request(self.scope))

    async def ready_predictor(self) -> Predictor:
        """Return the predictor that is served.

        Raises:
            UnavailableError: none is loaded yet, or the server stops.
        """
        return (await get_ready_version(Request(self.scope))).predictor


def json_answer(document: Any, status: int = 200) -> ProtocolAnswer:
    """Return an answer in JSON; its Content-Type has no charset, because kserve compares the whole header."""
    with TRACING.span("encode"):
        return ProtocolAnswer(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), [JSON], status)
