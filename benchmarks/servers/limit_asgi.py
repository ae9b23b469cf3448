"""A no-op server, bare ASGI under uvicorn: it receives the bytes of the body and parses nothing."""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

from benchmarks.servers.network import CONSTANT

HEADERS = [(b"content-length", str(len(CONSTANT)).encode()), (b"content-type", b"application/json")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": CONSTANT})


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, port=port, access_log=False, log_level="warning", server_header=False, lifespan="off")
