"""Direct answers: each has the bytes of the application's, which answers whatever comes in another way."""

import asyncio
import gc
import re
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.fast.http_protocol import FastHttpProtocol
from app.main import create_app
from app.observability.exposition import merged
from app.observability.families import REQUESTS
from app.settings import Settings, VertexAi
from inkling.predictor import Predictor
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, image_file, images_form, images_json
from tests.support.digits import make_digits

pytestmark = pytest.mark.anyio

IMAGES = make_digits(20, seed=9)[0]
PLAIN = image_file(IMAGES[0])


async def until(is_so: Callable[[], bool]) -> None:
    """Wait in turns of the event loop, in which the server of this process goes on.

    Raises:
        TimeoutError: it was not so within 30 s.
    """
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.001)


@dataclass
class Service:
    """An application behind the HTTP protocol, on a port of this process."""

    app: FastAPI
    port: int
    reached: Counter[str]
    """Requests that reached the application, by their path."""
    protocols: list[weakref.ref[FastHttpProtocol]]

    async def answers(self, *pieces: bytes, count: int = 1) -> list[bytes]:
        """Send pieces of requests on one connection, each when the application has the one before; return answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers, before = [], self.reached.total()
        try:
            for number, piece in enumerate(pieces):
                if number:
                    await until(lambda: self.reached.total() > before)
                writer.write(piece)
            for _ in range(count):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                assert length
                answers.append(head + await reader.readexactly(int(length[1])))
        finally:
            writer.close()
            await writer.wait_closed()
        return answers


@asynccontextmanager
async def serve(app: FastAPI | Settings) -> AsyncIterator[Service]:
    """Serve an application, with what its lifespan gives the protocol."""
    application = create_app(app) if isinstance(app, Settings) else app
    reached: Counter[str] = Counter()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        reached[scope["path"]] += 1
        await application(scope, receive, send)

    config = uvicorn.Config(counted, http=FastHttpProtocol, ws="none", log_config=None)
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    protocols: list[weakref.ref[FastHttpProtocol]] = []
    application.middleware_stack = application.build_middleware_stack()
    async with application.router.lifespan_context(application) as lifespan_state:
        assert lifespan_state is not None

        def connect() -> FastHttpProtocol:
            protocol = FastHttpProtocol(config, state, dict(lifespan_state), loop)
            protocols.append(weakref.ref(protocol))
            return protocol

        server = await loop.create_server(connect, "127.0.0.1", 0)
        try:
            yield Service(application, server.sockets[0].getsockname()[1], reached, protocols)
        finally:
            server.close()


def request(body: bytes, content_type: str = PNG, *lines: str, path: str = "/predict") -> tuple[bytes, bytes]:
    """Return the head and the body of a POST."""
    given = ("Host: 127.0.0.1", "X-Request-ID: one", f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
    return "\r\n".join((f"POST {path} HTTP/1.1", *given, *lines, "", "")).encode(), body


def unmeasured(answer: bytes) -> bytes:
    return re.sub(rb"server-timing: [^\r]*", b"", answer)


DIRECT = {
    "png": request(PLAIN),
    "form": request(images_form(IMAGES[:1]), MULTIPART),
    "form of three": request(images_form(IMAGES[:3]), MULTIPART),
    "raw": request(IMAGES[0].tobytes(), RAW),
    "raw with a warning": request((255 - IMAGES[0]).tobytes(), RAW),
    "json": request(images_json(IMAGES[0]), JSON),
    "npy": request(PLAIN, f"{PNG}; x=y", f"Accept: {NPY}"),
    "any": request(PLAIN, PNG, "Accept: text/html, */*"),
    "expecting": request(PLAIN, PNG, "Expect: 100-continue"),
}
LEFT = {
    "empty": request(b""),
    "no image": request(b"x"),
    "no media type": request(b"x", "text/plain"),
    "785 bytes": request(bytes(785), RAW),
    "half of a PNG": request(PLAIN[:100]),
    "JPEG": request(image_file(IMAGES[0], "JPEG"), "image/jpeg"),
    "PNG of colors": request(image_file(IMAGES[0].repeat(3).reshape(28, 28, 3)), PNG),
    "longer": request(IMAGES[:6].tobytes(), RAW),
    "a query": request(PLAIN, path="/predict?fit=strict"),
    "another path": request(PLAIN, path="/predict/"),
    "gzip": request(b"x", PNG, "Content-Encoding: gzip"),
    "another host": request(PLAIN, PNG, "Host: example.org"),
    "last of its connection": request(PLAIN, PNG, "Connection: close"),
}


@pytest.mark.parametrize(("head", "body"), DIRECT.values(), ids=DIRECT)
async def test_direct_answer_has_the_applications_bytes(settings: Settings, head: bytes, body: bytes) -> None:
    async with serve(settings) as service:
        (direct,) = await service.answers(head + body)
        assert service.reached == {}
        with_continue = b"Expect" in head
        pieces = (head, body)
        answers = await service.answers(*pieces) if not with_continue else await _after_continue(service, *pieces)
        assert service.reached == {"/predict": 1}
    assert direct.startswith(b"HTTP/1.1 200 OK\r\n")
    assert unmeasured(direct) == unmeasured(answers[0])


async def _after_continue(service: Service, head: bytes, body: bytes) -> list[bytes]:
    """Return the answer to a client that waits for `100 Continue` before it sends its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    answer = await reader.readuntil(b"}]}")
    writer.close()
    await writer.wait_closed()
    return [answer]


@pytest.mark.parametrize(("head", "body"), LEFT.values(), ids=LEFT)
async def test_every_other_request_is_the_applications(settings: Settings, head: bytes, body: bytes) -> None:
    async with serve(settings) as service:
        (at_once,) = await service.answers(head + body)
        (in_pieces,) = await service.answers(head, body)
        assert sum(service.reached.values()) == 2
    assert unmeasured(at_once) == unmeasured(in_pieces)


async def test_each_prediction_is_counted_once(settings: Settings) -> None:
    async with serve(settings) as service:
        metrics = service.app.state.metrics
        for count, accept in enumerate((JSON, NPY, JSON), 1):
            await service.answers(b"".join(request(PLAIN, PNG, f"Accept: {accept}")))
            assert metrics.images == count
        await service.answers(b"".join(request(b"x")))
        await service.answers(*request(PLAIN))
        assert service.reached == {"/predict": 2}
        assert metrics.images == 4
        series = merged(metrics.file).items()
        counted = {labels[2]: values[0] for (name, *labels), values in series if name == REQUESTS.name}
        assert counted == {"200": 4, "422": 1}


@pytest.mark.parametrize("count", [2, 8, 40, 100])
async def test_pipelined_requests_are_answered_in_their_order(settings: Settings, count: int) -> None:
    probe = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: one\r\n\r\n"
    predictions = [b"".join(request(IMAGES[i % len(IMAGES)].tobytes(), RAW)) for i in range(count)]
    mixed = [prediction if i % 3 else probe for i, prediction in enumerate(predictions)]
    async with serve(settings) as service:
        for requests in (predictions, mixed):
            sent = b"".join(each.replace(b": one", b": %d" % i) for i, each in enumerate(requests))
            answers = await service.answers(sent, count=count)
            ids = [re.findall(rb"x-request-id: (\d+)", answer) for answer in answers]
            assert ids == [[b"%d" % i] for i in range(count)]


async def test_version_that_is_not_loaded_is_the_applications_503(settings: Settings) -> None:
    async with serve(settings) as service:
        service.app.state.current_version._served = None
        (answer,) = await service.answers(b"".join(request(PLAIN)))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert service.reached == {"/predict": 1}


async def test_error_that_nobody_expects_is_the_applications_500(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    async with serve(settings) as service:
        monkeypatch.setattr(Predictor, "predict_strict", fail)
        for _ in range(20):
            (answer,) = await service.answers(b"".join(request(PLAIN)))
            assert answer.startswith(b"HTTP/1.1 500 ")
        assert service.reached == {"/predict": 20}


async def _is_direct(app: FastAPI | Settings) -> bool:
    async with serve(app) as service:
        (answer,) = await service.answers(b"".join(request(PLAIN)))
        assert answer.startswith(b"HTTP/1.1 200 ")
        return not service.reached


@pytest.mark.parametrize(
    "changed",
    [
        {"access_log": True},
        {"max_requests_per_minute": 100},
        {"cors_origins": "https://example.org"},
        {"trusted_proxies": "127.0.0.1"},
        {"root_path": "/inkling"},
        {"max_body_bytes": 2000},
    ],
    ids=str,
)
async def test_settings_that_concern_every_request_leave_all_to_the_application(
    settings: Settings, changed: dict[str, object]
) -> None:
    assert await _is_direct(settings)
    assert not await _is_direct(settings.model_copy(update=changed))


async def test_middleware_that_is_added_to_the_app_sees_every_prediction(settings: Settings) -> None:
    app = create_app(settings)
    app.add_middleware(CORSMiddleware, allow_origins=["https://example.org"])
    assert not await _is_direct(app)


async def test_platforms_path_comes_before(settings: Settings) -> None:
    platform = VertexAi(predict_route="/predict")
    async with serve(create_app(settings, platform)) as service:
        (answer,) = await service.answers(b"".join(request(PLAIN)))
        assert service.reached == {"/predict": 1}
        assert b"is_digit" not in answer  # it is a platform's


@pytest.mark.parametrize("pieces", [request(PLAIN), (b"".join(request(PLAIN)),)], ids=["pieces", "at once"])
async def test_connection_waits_for_no_garbage_collector(settings: Settings, pieces: tuple[bytes, ...]) -> None:
    async with serve(settings) as service:
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await service.answers(*pieces)
            await until(lambda: [each() for each in service.protocols] == [None] * 10)
        finally:
            gc.enable()


async def test_body_that_never_comes_is_no_direct_answer(settings: Settings) -> None:
    head, body = request(PLAIN)
    async with serve(settings) as service:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(head + body[:-1])
        await until(lambda: service.reached == {"/predict": 1})  # which waits for it, or refuses
        writer.close()


async def test_request_behind_another_begins_without_its_body(settings: Settings) -> None:
    head, body = request(PLAIN, PNG, "Expect: 100-continue")
    probe = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with serve(settings) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(probe + head)
        async with asyncio.timeout(10):
            seen = await reader.readuntil(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(body)
        answer = await reader.readuntil(b"}]}")
        writer.close()
    assert seen.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_longer_body_behind_another_request_is_the_applications(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_body_bytes": 5000})
    probe = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    sent = probe + b"".join(request(IMAGES[:12].tobytes(), RAW))
    async with serve(limited) as service:
        _, answer = await service.answers(sent, count=2)
        assert service.reached == {"/livez": 1, "/predict": 1}
    assert answer.startswith(b"HTTP/1.1 413 ")
