"""Uvicorn's flow control, with a hold on reading, and with turns."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl

from app.connections.turns import Turns


class HeldFlow(FlowControl):
    """A request that reads its body resumes the reading of its connection: when it is its turn, and no hold is on it.

    Args:
        transport: of the connection.
        reads: the turns of all connections.
    """

    def __init__(self, transport: asyncio.Transport, reads: Turns, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport)
        self._reads, self._loop = reads, loop
        self._is_held = self._is_waiting = False

    def hold(self) -> None:
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        self._is_held = False
        self.resume_reading()

    def pause_reading(self) -> None:
        self._is_waiting = False
        super().pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused and not self._is_held and not self._is_waiting:
            self._is_waiting = True
            self._reads.add(HeldFlow._resume, self, self._loop)

    def _resume(self) -> int:
        """Resume the reading, unless it was paused again; return 1 if it goes on, else 0."""
        is_due = self._is_waiting and not self._is_held and not self._transport.is_closing()
        self._is_waiting = False
        if is_due:
            super().resume_reading()
        return int(is_due)
