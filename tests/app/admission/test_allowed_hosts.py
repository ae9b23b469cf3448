import httpx
import pytest
from pydantic import SecretStr, ValidationError

from app.admission.allowed_hosts import MAX_REMEMBERED, AllowedHosts
from app.settings import Settings
from tests.support.services import connect

pytestmark = pytest.mark.anyio

PATHS = ["/", "/train", "/versions", "/versions/1", "/promotions", "/metrics", "/livez", "/readyz", "/docs"]
FOREIGN = [
    b"example.org",
    b"example.org:8000",
    b"10.0.0.1",
    b"127.0.0.1.example.org",
    b"",
    b"[",
    b"localhost@x",
    b"x:y",
]


def allows(settings: Settings, host: str) -> bool:
    hosts = AllowedHosts.from_settings(settings)
    return hosts is None or hosts.allow(host.encode("latin-1"))


async def get(client: httpx.AsyncClient, path: str, *hosts: bytes) -> httpx.Response:
    return await client.get(path, headers=[(b"Host", host) for host in hosts])


@pytest.mark.parametrize("host", FOREIGN)
async def test_without_a_key_nothing_is_answered_under_a_foreign_name(client: httpx.AsyncClient, host: bytes) -> None:
    for path in [*PATHS, "/openapi.json", "/nowhere", "/docs/assets/swagger-ui.css"]:
        response = await get(client, path, host)
        assert response.status_code == 403, path
        assert response.headers["content-type"] == "application/problem+json"
        assert "INKLING_ALLOWED_HOSTS" in response.json()["detail"]
    response = await client.post("/predict", content=bytes(784), headers=[(b"Host", host)])
    assert response.status_code == 403


async def test_two_hosts_are_refused_whichever_is_first(client: httpx.AsyncClient) -> None:
    for hosts in ([b"127.0.0.1", b"example.org"], [b"example.org", b"127.0.0.1"]):
        assert (await get(client, "/metrics", *hosts)).status_code == 403


@pytest.mark.parametrize("host", [b"127.0.0.1:8000", b"LOCALHOST", b"localhost.", b"[::1]:8000", b"127.1.2.3"])
async def test_names_of_this_machine_are_answered(client: httpx.AsyncClient, host: bytes) -> None:
    for path in PATHS:
        assert (await get(client, path, host)).is_success


async def test_listed_names_are_answered_behind_a_proxy(settings: Settings) -> None:
    listed = Settings(**{**settings.model_dump(), "allowed_hosts": "digits.example.org, *.lab.example.org"})
    async with connect(listed, base_url="https://digits.example.org") as client:
        assert (await client.get("/metrics")).is_success
        origin = {"Origin": "https://digits.example.org"}
        assert (await client.post("/train", headers=origin)).status_code == 202
        assert (await get(client, "/metrics", b"a.LAB.example.org:443")).is_success
        assert (await get(client, "/metrics", b"lab.example.org")).status_code == 403
        assert (await get(client, "/metrics", b"evil-lab.example.org")).status_code == 403
        assert (await client.post("/train", headers={"Origin": "https://example.org"})).status_code == 403


@pytest.mark.parametrize(
    ("changes", "allowed", "refused"),
    [
        ({}, ["localhost"], ["example.org", "10.0.0.1"]),
        ({"allowed_hosts": "*"}, ["localhost", "example.org", "10.0.0.1"], []),
        ({"host": "0.0.0.0"}, ["localhost", "example.org", "10.0.0.1"], []),
        ({"api_key": SecretStr("a-key-for-tests")}, ["example.org"], []),
        ({"host": "0.0.0.0", "allowed_hosts": "a.org"}, ["a.org", "localhost", "10.0.0.1", "[fe80::1]"], ["b.org"]),
    ],
)
def test_default_depends_on_the_key(changes: dict[str, object], allowed: list[str], refused: list[str]) -> None:
    settings = Settings().model_copy(update=changes)
    assert [name for name in allowed if not allows(settings, name)] == []
    assert [name for name in refused if allows(settings, name)] == []


@pytest.mark.parametrize("names", ["https://a.org", "a.org/x", "a b", "*.", "**", ",", "a.org,,b.org", "a*.org"])
def test_what_is_no_list_of_names_is_refused_at_start(names: str) -> None:
    with pytest.raises(ValidationError):
        Settings(allowed_hosts=names)


def test_table_of_checked_headers_is_bounded() -> None:
    hosts = AllowedHosts(frozenset(("*.example.org",)), allows_addresses=False)
    for number in range(2 * MAX_REMEMBERED):
        assert hosts.allow(b"%d.example.org" % number)
        assert not hosts.allow(b"%d.example.com" % number)
    assert len(hosts._allowed) == MAX_REMEMBERED
