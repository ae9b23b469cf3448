import asyncio
import gzip
import zlib

import httpx
import pytest

from app.settings import Settings
from inkling.digit import Gray
from tests.support.bodies import JSON, PNG, RAW, image_file
from tests.support.services import connect

pytestmark = pytest.mark.anyio

PATHS = ("/predict", "/predict?fit=strict")


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("gzip", lambda content: gzip.compress(content[:9], mtime=0) + gzip.compress(content[9:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
async def test_compressed_body_is_read_as_any_other(
    client: httpx.AsyncClient, digits: Gray, path: str, coding: str, encode: object
) -> None:
    assert callable(encode)
    for content, content_type in ((digits.tobytes(), RAW), (image_file(digits[3]), PNG)):
        plain = await client.post(path, content=content, headers={"Content-Type": content_type})
        headers = {"Content-Type": content_type, "Content-Encoding": coding}
        packed = await client.post(path, content=encode(content), headers=headers)
        assert (packed.status_code, packed.content) == (200, plain.content)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "aws-chunked"])
async def test_other_coding_is_refused_with_those_taken(client: httpx.AsyncClient, coding: str) -> None:
    for path in (*PATHS, "/train", "/versions"):
        answer = await client.post(path, content=b"x", headers={"Content-Type": RAW, "Content-Encoding": coding})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate")
        assert answer.json()["detail"] == f"Content-Encoding is {coding}, expected gzip, deflate, or none"


@pytest.mark.parametrize(
    ("coding", "content", "message"),
    [
        ("gzip", b"no gzip", "the body is not gzip, as its Content-Encoding says"),
        ("gzip", gzip.compress(bytes(784), mtime=0)[:-1], "ends before its Content-Encoding gzip does"),
        ("gzip", gzip.compress(bytes(784), mtime=0) + b"more", "the body is not gzip"),
        ("gzip", gzip.compress(b"", mtime=0) * 1001, "goes on after the end"),
        ("deflate", zlib.compress(bytes(784)) + b"more", "goes on after the end of its Content-Encoding deflate"),
        ("gzip", b"", "the body is empty"),
    ],
)
async def test_damaged_coding_is_refused(client: httpx.AsyncClient, coding: str, content: bytes, message: str) -> None:
    for path in PATHS:
        headers = {"Content-Type": RAW, "Content-Encoding": coding}
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == 400
        assert message in answer.json()["detail"]


async def test_bomb_stops_at_the_limit_and_lets_others_run(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_body_bytes": 1 << 20})
    bomb = gzip.compress(bytes(100 << 20), 9)
    assert len(bomb) < 1 << 20
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with connect(limited) as client:
        others = asyncio.create_task(count_turns())
        for path in (*PATHS, "/versions"):
            headers = {"Content-Type": RAW, "Content-Encoding": "gzip"}
            answer = await client.post(path, content=bomb, headers=headers)
            assert answer.status_code == 413
            assert "decoded, more than 1048576" in answer.json()["detail"]
            assert "INKLING_MAX_BODY_BYTES" in answer.json()["detail"]
        others.cancel()
    assert turns > 3 * 16


async def test_compressed_json_starts_a_run(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    answer = await client.post("/train", content=gzip.compress(b'{"promote": "never"}', mtime=0), headers=headers)
    assert (answer.status_code, answer.json()["promote"]) == (202, "never")
