import httpx
import pytest

from app.admission.client_limits import MAX_CLIENTS, ClientLimits, client_of
from app.main import create_app
from app.settings import Settings
from tests.app.test_errors import check_problem
from tests.support.services import BASE_URL


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_burst_is_allowed_at_once_and_comes_back_at_the_rate() -> None:
    clock = Clock()
    limits = ClientLimits(per_minute=60, burst=3, clock=clock)
    for _ in range(3):
        assert limits.wait_s("a") == 0
        limits.take("a")
    assert limits.wait_s("a") == pytest.approx(1)
    assert limits.wait_s("b") == 0
    clock.now += 1
    assert limits.wait_s("a") == 0
    limits.take("a")
    assert limits.wait_s("a") > 0
    clock.now += 1000
    for _ in range(3):  # idle time saves up no more than a burst
        assert limits.wait_s("a") == 0
        limits.take("a")
    assert limits.wait_s("a") > 0


def test_table_is_bounded_and_forgets_the_longest_unseen() -> None:
    limits = ClientLimits(per_minute=1, burst=1)
    for number in range(MAX_CLIENTS + 10):
        limits.take(str(number))
        limits.take("always there")
    assert len(limits._full_at) == MAX_CLIENTS
    assert limits.wait_s("always there") > 0
    assert limits.wait_s("0") == 0


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_client_is_an_address_or_a_network_of_ipv6(address: str, client: str) -> None:
    assert client_of({"client": (address, 1)}) == client
    assert client_of({"client": None}) == client_of({}) == "unknown"


@pytest.mark.anyio
async def test_rate_is_limited_by_client_and_not_for_probes(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_requests_per_minute": 5}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("10.0.0.1", 1)), base_url=BASE_URL) as first,
        httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("10.0.0.2", 1)), base_url=BASE_URL) as second,
    ):
        assert [(await first.get("/versions")).status_code for _ in range(5)] == [200] * 5
        refused = await first.post("/predict", content=bytes(784))
        body = check_problem(refused, 429)
        assert "INKLING_MAX_REQUESTS_PER_MINUTE" in body["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert (await second.get("/versions")).status_code == 200
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await first.get(path)).status_code == 200
