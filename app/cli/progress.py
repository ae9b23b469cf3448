"""A counter on the terminal for commands that read many files."""

import sys
import time

INTERVAL_S = 0.1


class Progress:
    """`12 of 3400 files` on standard error, if that is a terminal and the results go elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._is_shown = sys.stderr.isatty() and not sys.stdout.isatty()
        self._width = 0
        self._shown_at = 0.0

    def show(self, done: int) -> None:
        """Show the count, at most every INTERVAL_S seconds."""
        if not self._is_shown or time.monotonic() - self._shown_at < INTERVAL_S:
            return
        text = f"{done} of {self._total} files"
        print(f"\r{text}", end="", file=sys.stderr, flush=True)
        self._width, self._shown_at = len(text), time.monotonic()

    def clear(self) -> None:
        """Remove the count, so that something else can be printed on its line."""
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
            self._width = 0
