"""Mutated requests for every protocol, sent to the application in this process.

`python -m benchmarks.mutated_requests --count 10000` sends so many per protocol, and prints the answers and the
memory of the process before and after. It ends with an error at the first answer that is the server's mistake, or
with the first traceback in its log.
"""

import argparse
import asyncio
import base64
import json
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.settings import Settings
from benchmarks import mutated_grpc
from tests.support.bodies import image_file
from tests.support.digits import make_digits
from tests.support.mutations import mutations
from tests.support.ports import free_port
from tests.support.services import connect

IMAGES = make_digits(2, seed=4)[0]
ALLOWED = frozenset((200, 400, 404, 405, 413, 415, 422))
_FILE = image_file(IMAGES[0])
_TEXT = base64.b64encode(_FILE).decode()
_CODINGS = ("", "", "", "", "gzip", "deflate", "identity", "br")


class Protocol(NamedTuple):
    paths: tuple[str, ...]
    bodies: tuple[bytes, ...]
    is_v2: bool = False


def _v2_bodies() -> tuple[bytes, ...]:
    def body(**tensor: object) -> dict[str, object]:
        described = {"name": "images", "shape": [2, 784], "datatype": "UINT8", **tensor}
        return {"id": "r1", "inputs": [described], "outputs": [{"name": "scores"}, {"name": "digits"}]}

    pixels = IMAGES.tobytes()
    documents = [
        body(data=IMAGES.reshape(-1).tolist()),
        body(data=(IMAGES.reshape(2, 28, 28) / 255).round(1).tolist(), datatype="FP32", shape=[2, 28, 28]),
        body(data=[_TEXT, _TEXT], datatype="BYTES", shape=[2]),
        {**body(data=[[_TEXT]], datatype="BYTES", shape=[1, 1]), "parameters": {"fit": "strict"}},
    ]
    head = json.dumps({**body(parameters={"binary_data_size": len(pixels)}), "outputs": []}).encode()
    return (*(json.dumps(document).encode() for document in documents), head + pixels, pixels, _FILE)


PROTOCOLS = {
    "open inference v2": Protocol(
        (
            *("/v2/models/mnist/infer",) * 4,
            *("/v2/models/mnist-files/infer",) * 2,
            "/v2/models/mnist/versions/1/infer",
            "/v2/models/x/infer",
            "/v2/repository/index",
            "/v2/repository/models/mnist/load",
            "/v2/systemsharedmemory/region/r/register",
        ),
        _v2_bodies(),
        is_v2=True,
    ),
    "tensorflow serving v1": Protocol(
        ("/v1/models/mnist:predict", "/v1/models/mnist/versions/1:predict", "/v1/models/mnist/labels/stable:predict"),
        tuple(
            json.dumps(document).encode()
            for document in (
                {"signature_name": "serving_default", "instances": (IMAGES / 255).round(1).tolist()},
                {"inputs": {"images": IMAGES.reshape(2, 784).tolist()}},
                {"signature_name": "serving_files", "instances": [{"b64": _TEXT}, {"b64": _TEXT}]},
            )
        ),
    ),
    "invocations": Protocol(
        ("/invocations", "/score"),
        (
            json.dumps({"dataframe_split": {"data": IMAGES.reshape(2, 784).tolist()}}).encode(),
            json.dumps({"inputs": (IMAGES / 255).round(1).tolist()}).encode(),
            _FILE,
        ),
    ),
}


def requests(protocol: Protocol, count: int, seed: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield the path, body and headers of nearly right requests."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    for body in mutations(protocol.bodies, count, seed):
        headers = {"Content-Type": chance.choice(("application/json", "application/octet-stream", "image/png", "x"))}
        if coding := chance.choice(_CODINGS):
            headers["Content-Encoding"] = coding
        if protocol.is_v2 and chance.random() < 0.5:
            end = body.find(b"]}") + 2
            length = chance.choice((0, end, end, len(body), len(body) + 1, chance.randint(0, len(body)), -1))
            headers["Inference-Header-Content-Length"] = str(length)
        yield chance.choice(protocol.paths), body, headers


async def send_all(client: httpx.AsyncClient, name: str, count: int, seed: int) -> Counter[int]:
    """Send mutated requests of a protocol, and return how many were answered with each status.

    Raises:
        AssertionError: an answer was the server's mistake, or no error in the shape of the protocol.
    """
    statuses = Counter[int]()
    for path, body, headers in requests(PROTOCOLS[name], count, seed):
        response = await client.post(path, content=body, headers=headers)
        statuses[response.status_code] += 1
        is_error = response.status_code != 200
        if response.status_code not in ALLOWED or (is_error and response.json().keys() != {"error"}):
            raise AssertionError(f"{path} {headers} {body[:300]!r}: {response.status_code} {response.text}")
    return statuses


class _Tracebacks(logging.Handler):
    """Keeps the errors of the log that have a traceback; a line for each refusal is dropped.

    grpc.aio's own end at a path that is not UTF-8 has one, too: the server starts it again.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] not in (None, UnicodeDecodeError):
            self.found.append(record)


def _resident_mb() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6


async def _main(count: int, seed: int) -> None:
    tracebacks, port = _Tracebacks(), free_port()
    logging.basicConfig(handlers=[tracebacks])
    with tempfile.TemporaryDirectory() as folder:
        async with connect(Settings(data_dir=Path(folder), trainer="external", grpc_port=port)) as client:
            rows: dict[str, Callable[[int, int], Awaitable[Mapping[Any, int]]]] = {
                **{name: partial(send_all, client, name) for name in PROTOCOLS},
                **{name: partial(mutated_grpc.send_all_calls, port, name) for name in mutated_grpc.CALLS},
                mutated_grpc.CONNECTIONS: partial(mutated_grpc.send_all_connections, port),
            }
            for name, send in rows.items():
                await send(min(count, 1000), seed + 1)
                before = _resident_mb()
                answers = dict(sorted((await send(count, seed)).items()))
                print(f"{name}: {answers}, {before:.0f} MB before, {_resident_mb():.0f} MB after", flush=True)
                if tracebacks.found:
                    raise AssertionError(logging.Formatter().format(tracebacks.found[0]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.count, arguments.seed))
