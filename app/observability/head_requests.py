"""HEAD: the answer to a GET without its body, on every path that takes GET."""

import asyncio

from starlette.types import Message, Scope, Send


def as_get(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Return the scope of the GET, and a `send` that leaves out the body.

    FastAPI's routes take no HEAD by themselves, and in each of their documents it would be a call of its own.
    """
    is_ended = False

    async def send_head(message: Message) -> None:
        nonlocal is_ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_ended:
            is_ended = True
            await send({"type": "http.response.body", "body": b""})
        else:  # a stream goes on until the server reports the client as gone, which takes a turn of the event loop
            await asyncio.sleep(0)

    return {**scope, "method": "GET"}, send_head
