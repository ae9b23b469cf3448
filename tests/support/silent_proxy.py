"""A TCP proxy that can go silent: it keeps its connections open and acknowledges, but passes nothing on."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SilentProxy:
    """Forwards connections to a port of this machine. `port` is its own."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._is_silent = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.loop = asyncio.new_event_loop()
        self.port = 0

    def silence(self, *, is_new_silent: bool = False) -> None:
        """Pass nothing on any more through the connections that are open; if asked, through new ones neither."""

        def stop() -> None:
            self._is_silent = is_new_silent
            for task in self._tasks:
                task.cancel()

        self.loop.call_soon_threadsafe(stop)

    def speak(self) -> None:
        """Pass on what comes through new connections."""
        self.loop.call_soon_threadsafe(setattr, self, "_is_silent", False)

    async def serve(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # the transports close in the next turns of the loop

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._is_silent:
            return
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.append(other_writer)
        for source, target in ((reader, other_writer), (other_reader, writer)):
            task = asyncio.create_task(_pass_on(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await source.read(65_536):
            target.write(content)
            await target.drain()
        target.close()


@contextmanager
def start_silent_proxy(target_port: int) -> Iterator[SilentProxy]:
    proxy = SilentProxy(target_port)
    proxy.loop.run_until_complete(proxy.serve())
    thread = threading.Thread(target=proxy.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(), proxy.loop).result()
        proxy.loop.call_soon_threadsafe(proxy.loop.stop)
        thread.join()
        proxy.loop.close()
