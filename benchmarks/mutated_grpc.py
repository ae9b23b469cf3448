"""Mutated calls of gRPC: the bytes of messages, the fields of messages, and the bytes of whole connections."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc

from app.protocols.grpc_messages import MESSAGES
from benchmarks.digits import make_digits
from inkling.vision.image_files import png_bytes
from tests.support.mutations import mutations

INFER = ("/inference.GRPCInferenceService/ModelInfer", "ModelInferRequest")
PREDICT = ("/tensorflow.serving.PredictionService/Predict", "PredictRequest")
CALLS = {"gRPC ModelInfer": INFER, "gRPC Predict": PREDICT}
CONNECTIONS = "gRPC connections"
ALLOWED = frozenset(("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED"))
"""A message too large, or with too many images, is RESOURCE_EXHAUSTED, as 413 is."""
CLOSED_S = 10.0
"""Until then a connection must be closed whose client has sent everything."""
IMAGES = make_digits(2, seed=4)[0]
FIELD_VALUES = {
    "TYPE_STRING": (
        "",
        "x",
        "mnist",
        "mnist-files",
        "images",
        "scores",
        "1",
        "0",
        "-1",
        "UINT8",
        "FP32",
        "\x00",
        "é" * 99,
    ),
    "TYPE_BYTES": (b"", b"\x00", b"\xff" * 4, b"\x00" * 784, b"\x7f" * 3136, b"\x04\x00\x00\x00abcd"),
    "TYPE_BOOL": (False, True),
    "TYPE_INT32": (0, 1, -1, 2, 255, 256, 784, 2**31 - 1, -(2**31)),
    "TYPE_UINT32": (0, 1, 255, 256, 2**32 - 1),
    "TYPE_INT64": (0, 1, -1, 28, 784, 2**31, 2**63 - 1, -(2**63)),
    "TYPE_UINT64": (0, 1, 2**64 - 1),
    "TYPE_FLOAT": (0.0, 1.0, 0.5, -1e-9, 255.0, 3e38, float("nan"), float("inf")),
    "TYPE_DOUBLE": (0.0, 1.0, 0.5, -1e-9, 255.0, 1e308, float("nan"), float("-inf")),
}
"""What fields are set to, by their types."""


async def send_all_calls(port: int, name: str, count: int, seed: int) -> Counter[str]:
    """Send mutated messages to a method, and return how many were answered with each code.

    Raises:
        AssertionError: an answer was the server's mistake.
    """
    path, request = CALLS[name]
    codes = Counter[str]()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary(path)
        for content in mutated_messages(messages(request), count, seed):
            code, words = "OK", ""
            try:
                await method(content, timeout=30)
            except grpc.aio.AioRpcError as error:
                code, words = error.code().name, error.details() or ""
            codes[code] += 1
            if code not in ALLOWED:
                raise AssertionError(f"{path} {content[:300]!r}: {code} {words}")
    return codes


async def send_all_connections(port: int, count: int, seed: int) -> Counter[str]:
    """Send mutated connections, from HTTP/2's preface on, and return how they ended.

    Raises:
        AssertionError: one was not closed in time, or nobody listens.
    """
    ends = Counter[str]()
    for content in mutations([connection(name) for name in CALLS], count, seed):
        try:
            async with asyncio.timeout(CLOSED_S):
                ends[await _send_connection(port, content)] += 1
        except TimeoutError as error:
            raise AssertionError(f"{content[:300]!r}: still open after {CLOSED_S:.0f} s") from error
    return ends


async def _send_connection(port: int, content: bytes) -> str:
    """Return "answered" if anything came back until the connection was closed, else "closed" or "reset"."""
    reader, writer = await _connect(port)
    try:
        writer.write(content)
        writer.write_eof()
        return "answered" if await reader.read(-1) else "closed"
    except OSError:
        return "reset"
    finally:
        writer.close()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Try until somebody listens: at a path that is not UTF-8, grpc.aio ends, and the server starts it again."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)


def messages(request: str) -> list[Any]:
    """Return right messages of the method, of every kind that clients send."""
    return _infer_requests() if request == INFER[1] else _predict_requests()


def mutated_messages(seeds: list[Any], count: int, seed: int) -> Iterator[bytes]:
    """Yield messages in turns with other bytes, and with other values in one to four of their fields."""
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    damaged = mutations([message.SerializeToString() for message in seeds], count, seed)
    for number, content in enumerate(damaged):
        if number % 2:
            yield content
            continue
        message = type(seeds[0])()
        message.CopyFrom(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            _change(message, chance)
        yield message.SerializeToString()


def connection(name: str) -> bytes:
    """Return what a client sends over a connection that calls a method once (RFC 9113; gRPC over HTTP/2)."""
    path, request = CALLS[name]
    message = messages(request)[0].SerializeToString()
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",  # codespell:ignore te
    }
    fields = b"".join(  # literals that no table holds (RFC 7541, 6.2.2)
        b"\x00" + bytes((len(key),)) + key.encode() + bytes((len(value),)) + value.encode()
        for key, value in headers.items()
    )
    return b"".join(
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _frame(4, 0, 0, b""),
            _frame(1, 4, 1, fields),
            _frame(0, 1, 1, b"\x00" + len(message).to_bytes(4, "big") + message),
        )
    )


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def _infer_requests() -> list[Any]:
    pixels, files = IMAGES.reshape(2, 784), [png_bytes(image) for image in IMAGES]
    raw = MESSAGES["ModelInferRequest"](model_name="mnist", id="r1", raw_input_contents=[pixels.tobytes()])
    raw.inputs.add(name="images", datatype="UINT8", shape=[2, 784])
    raw.outputs.add(name="scores").parameters.add(key="classification").value.int64_param = 3
    raw.outputs.add(name="digits")
    units = MESSAGES["ModelInferRequest"](model_name="mnist", model_version="1")
    tensor = units.inputs.add(name="images", datatype="FP32", shape=[1, 28, 28, 1])
    tensor.contents.fp32_contents.extend((pixels[0] / 255).tolist())
    named = MESSAGES["ModelInferRequest"](model_name="mnist-files")
    named.parameters.add(key="fit").value.string_param = "mnist"
    named.inputs.add(name="images", datatype="BYTES", shape=[2]).contents.bytes_contents.extend(files)
    packed = MESSAGES["ModelInferRequest"](model_name="mnist-files")
    packed.inputs.add(name="images", datatype="BYTES", shape=[2, 1])
    packed.raw_input_contents.append(b"".join(len(file).to_bytes(4, "little") + file for file in files))
    return [raw, units, named, packed]


def _predict_requests() -> list[Any]:
    units = IMAGES.reshape(2, 784) / 255
    halves = units.astype("<f2").view("<u2").ravel().tolist()
    return [
        _predict_request(1, tensor_content=units.astype("<f4").tobytes()),
        _predict_request(1, float_val=units.ravel().tolist()),
        _predict_request(9, int64_val=IMAGES.ravel().tolist()),
        _predict_request(19, half_val=halves),
        _predict_request(7, string_val=[png_bytes(image) for image in IMAGES]),
    ]


def _predict_request(dtype: int, **values: Any) -> Any:
    message = MESSAGES["PredictRequest"](model_spec={"name": "mnist", "signature_name": "serving_default"})
    tensor = message.inputs.add(key="images").value
    tensor.MergeFrom(MESSAGES["TensorProto"](dtype=dtype, **values))
    for size in (2,) if dtype == 7 else (2, 784):
        tensor.tensor_shape.dim.add(size=size)
    return message


def _change(message: Any, chance: random.Random) -> None:
    """Change one field of a message, or of a message within it."""
    field = chance.choice(message.DESCRIPTOR.fields)
    value = getattr(message, field.name)
    if field.message_type is not None:
        if not field.is_repeated:
            _change(value, chance)
        elif value and chance.random() < 0.8:
            _change(chance.choice(value), chance)
        else:
            _change(value.add(), chance)
        return
    choices = FIELD_VALUES[next(name for name in FIELD_VALUES if getattr(field, name) == field.type)]
    if not field.is_repeated:
        setattr(message, field.name, chance.choice(choices))
    elif value and chance.random() < 0.5:
        value[chance.randrange(len(value))] = chance.choice(choices)
    elif chance.random() < 0.5:
        del value[chance.randint(0, len(value)) :]
    else:
        value.extend([chance.choice(choices)] * chance.choice((1, 1, 2, 783, 784, 5000)))
