"""A worker process that has imported the application, and waits to be told to serve."""

import multiprocessing
from importlib import import_module
from multiprocessing.connection import wait
from socket import socket

from uvicorn.supervisors.multiprocess import Process


class SpareWorker(Process):
    """It needs a fifth of the CPU time of a new process until it serves: the rest are imports."""

    def serve(self) -> None:
        """Have it serve: at once, or as soon as it has imported the application."""
        self.parent_conn.send(b"serve")

    def target(self, sockets: list[socket] | None = None) -> None:
        """Run in the process: end if the supervisor does before this one is told to serve."""
        supervisor = multiprocessing.parent_process()
        assert supervisor  # noqa: S101  it is started by one
        import_module("app.main")
        if self.child_conn in wait([self.child_conn, supervisor.sentinel]):
            self.child_conn.recv()
            super().target(sockets)
