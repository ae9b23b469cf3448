"""FastAPI around NumPy, as a careful user would write it: weights loaded once, no thread, Pillow."""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, File, Request, UploadFile

from benchmarks.servers.network import Network

app = FastAPI()
network = Network()


@app.post("/multipart")
async def multipart(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    return network.read(await file.read())


@app.post("/raw")
async def raw(request: Request) -> dict[str, Any]:
    return network.read(await request.body())


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
