"""One decoder process, as the server sees it: started, asked, killed."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from app.decoders.messages import PREFIX, Message, encode

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # nothing is multiplied there
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),  # large pictures are given back to the system at once
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}


class DecoderDiedError(Exception):
    """The process ended before it answered."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code
        """Negative: the signal that ended it."""


class _Protocol(asyncio.StreamReaderProtocol):
    """A stream that reports its end, also while nobody reads."""

    def __init__(self, reader: asyncio.StreamReader, on_end: Callable[[], None]) -> None:
        super().__init__(reader)
        self._on_end = on_end

    def eof_received(self) -> bool:
        super().eof_received()
        return False  # close: nothing is written to a process that has ended

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_end()


class DecoderProcess:
    """Owns a process of `app.decoders.child`. Not thread-safe: of one event loop, and it does one task at a time.

    It is started by the thread of the event loop, because Linux kills it when that thread ends.

    Args:
        memory_bytes: that it may allocate.
        on_end: called when it has ended.
    """

    def __init__(self, memory_bytes: int, on_end: Callable[[], None] = lambda: None) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.decoders.child", str(memory_bytes)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                process_group=0,  # Ctrl-C reaches the server alone
            )
        self._socket = ours
        self.is_killed = False
        """Whether this server killed it."""
        self._on_end = on_end
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Wait until it has imported its modules.

        Raises:
            DecoderDiedError: it ended instead.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = _Protocol(reader, self._on_end)
        transport, _ = await loop.create_connection(lambda: protocol, sock=self._socket)
        self._reader, self._writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        await self._receive()

    async def ask(self, header: dict[str, Any], parts: Sequence[bytes]) -> Message:
        """Give it a task, and return its answer.

        Raises:
            DecoderDiedError: it ended before it answered.
        """
        assert self._writer is not None  # noqa: S101  ready
        try:
            self._writer.writelines(encode(header, parts))
            await self._writer.drain()
        except ConnectionError:
            self._process.kill()
            raise DecoderDiedError(await self.end()) from None
        return await self._receive()

    async def check(self) -> None:
        """Raise DecoderDiedError if it has ended while it had no task."""
        assert self._reader is not None  # noqa: S101  ready
        if self._reader.at_eof():
            raise DecoderDiedError(await self.end())

    def kill(self) -> None:
        self.is_killed = True
        self._process.kill()

    async def end(self) -> int:
        """Close its socket, wait until it has ended, and return its exit code."""
        if self._writer is None:
            self._socket.close()
        else:
            self._writer.close()
        return await asyncio.to_thread(self._process.wait)

    async def _receive(self) -> Message:
        assert self._reader is not None  # noqa: S101  connected
        try:
            head_bytes, payload_bytes = PREFIX.unpack(await self._reader.readexactly(PREFIX.size))
            header = orjson.loads(await self._reader.readexactly(head_bytes))
            return Message(header, await self._reader.readexactly(payload_bytes))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._process.kill()  # if it is ending already, this does not change its exit code
            raise DecoderDiedError(await self.end()) from None
