"""A no-op server, FastAPI: its handlers receive the upload and return a constant, already encoded answer."""

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, Request, Response, UploadFile

from benchmarks.servers.network import CONSTANT

app = FastAPI()


@app.get("/ready")
async def ready() -> Response:
    return Response()


@app.post("/multipart")
async def multipart(file: Annotated[UploadFile, File()]) -> Response:
    await file.read()
    return Response(CONSTANT, media_type="application/json")


@app.post("/raw")
async def raw(request: Request) -> Response:
    await request.body()
    return Response(CONSTANT, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
