"""The order in which requests begin, on a real event loop."""

import asyncio
from types import SimpleNamespace
from typing import Any

from app.connections.starts import PER_TURN, Begin, Starts


def cycle_of(path: str, *, disconnected: bool = False) -> Any:
    return SimpleNamespace(scope={"path": path}, disconnected=disconnected)


def begun_by_turn(*cycles: Any, turns: int = 4) -> list[list[int]]:
    """Add requests in one turn; return the numbers of those begun after each turn."""
    begun: list[int] = []

    def begin(number: int) -> Begin:
        return lambda _cycle: begun.append(number)

    async def follow() -> list[list[int]]:
        starts, loop = Starts(), asyncio.get_running_loop()
        for number, cycle in enumerate(cycles):
            starts.add(cycle, begin(number), loop)
        seen = []
        for _ in range(turns):
            seen.append(list(begun))
            await asyncio.sleep(0)
        return seen

    return asyncio.run(follow())


def test_requests_begin_in_order_some_per_turn() -> None:
    turns = begun_by_turn(*[cycle_of("/predict")] * 20)
    assert turns == [list(range(n)) for n in (PER_TURN, 2 * PER_TURN, 20, 20)]


def test_probes_begin_at_once() -> None:
    paths = ["/predict"] * 20 + ["/livez", "/readyz", "/metrics"]
    first = begun_by_turn(*[cycle_of(path) for path in paths])[0]
    assert first == [*range(PER_TURN), 20, 21, 22]


def test_requests_of_clients_that_have_left_do_not_begin() -> None:
    waiting = [cycle_of("/predict", disconnected=number < 15) for number in range(20)]
    assert begun_by_turn(*waiting)[-1] == [*range(PER_TURN), *range(15, 20)]
