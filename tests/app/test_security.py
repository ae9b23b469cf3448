import stat
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from app.security import KEY_FILE, resolve_key
from app.settings import Settings
from tests.support.servers import start_server
from tests.support.services import connect

pytestmark = pytest.mark.unmeasured

KEY = "a-key-for-tests"
UNSAFE_CALLS = [("POST", "/train"), ("DELETE", "/train/1"), ("PUT", "/versions/current"), ("GET", "/errors")]
READS = ["/train", "/versions", "/versions/1", "/promotions", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json"]


@pytest.fixture
def keyed(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_key": SecretStr(KEY)})


async def ask(client: httpx.AsyncClient, method: str, path: str, **headers: str) -> httpx.Response:
    return await client.request(method, path, headers=headers, json={"version": 1} if method == "PUT" else None)


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path"), UNSAFE_CALLS)
async def test_unsafe_call_needs_the_key_once_it_is_set(keyed: Settings, method: str, path: str) -> None:
    async with connect(keyed) as client:
        await ask(client, "POST", "/train", Authorization=f"Bearer {KEY}")  # so that run 1 is there to be cancelled
        for headers in (
            {},
            {"Authorization": KEY},
            {"Authorization": "Bearer"},
            {"Authorization": f"Basic {KEY}"},
            {"Authorization": f"Bearer {KEY}x"},
            {"Authorization": f"Bearer {KEY[:-1]}"},
        ):
            response = await ask(client, method, path, **headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert KEY not in response.text
        response = await ask(client, method, path, Authorization=f"Bearer {KEY}", Origin="https://example.org")
        assert response.is_success


@pytest.mark.anyio
async def test_key_may_come_beside_the_password_of_a_proxy(keyed: Settings) -> None:
    async with connect(keyed) as client:
        for headers, status in (
            ({"X-API-Key": KEY}, 202),
            ({"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"}, 202),
            ({"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"}, 401),
            ({"X-API-Key": "", "Authorization": f"Bearer {KEY}"}, 202),
        ):
            assert (await client.post("/train", headers=headers)).status_code == status


@pytest.mark.anyio
async def test_wrong_key_changes_nothing(keyed: Settings) -> None:
    async with connect(keyed) as client:
        await ask(client, "POST", "/train", Authorization="Bearer wrong")
        assert (await client.get("/train")).json()["items"] == []


@pytest.mark.anyio
async def test_key_of_non_ascii_bytes_in_a_request_is_wrong_not_a_crash(keyed: Settings) -> None:
    async with connect(keyed) as client:
        headers = [(b"Authorization", "Bearer clé".encode())]
        assert (await client.post("/train", headers=headers)).status_code == 401


@pytest.mark.anyio
async def test_predictions_and_reads_are_open(keyed: Settings) -> None:
    async with connect(keyed, base_url="http://inkling.example.org") as client:
        for path in READS:
            assert (await client.get(path, headers={"Origin": "https://example.org"})).is_success
        headers = {"Content-Type": "application/octet-stream", "Origin": "https://example.org"}
        for path in ("/predict", "/explain"):
            assert (await client.post(path, content=bytes(784), headers=headers)).is_success


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "127.1.2.3", "[::1]:8000"])
async def test_without_a_key_programs_and_pages_of_this_machine_may_ask(client: httpx.AsyncClient, host: str) -> None:
    assert (await ask(client, "POST", "/train", Host=host)).status_code == 202
    assert (await ask(client, "POST", "/train", Host=host, Origin=f"http://{host}")).status_code == 202


@pytest.mark.anyio
@pytest.mark.parametrize(
    "origin",
    [
        "https://example.org",
        "http://127.0.0.1:9000",
        "http://localhost:8000",
        "http://127.0.0.1:8000.example.org",
        "null",
        "",
        "http://[",
    ],
)
async def test_without_a_key_pages_of_other_sites_may_not_ask(client: httpx.AsyncClient, origin: str) -> None:
    for method, path in UNSAFE_CALLS:
        response = await ask(client, method, path, Origin=origin)
        assert response.status_code == 403, response.text
        assert "INKLING_API_KEY" in response.json()["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["example.org", "example.org:8000", "10.0.0.1", "127.0.0.1.example.org", "", "["])
async def test_without_a_key_no_foreign_name_of_this_server_may_be_used(client: httpx.AsyncClient, host: str) -> None:
    """DNS rebinding: the page of a foreign name whose address became 127.0.0.1 is no page of another origin."""
    response = await ask(client, "POST", "/train", Host=host, Origin=f"http://{host}")
    assert response.status_code == 403, response.text
    response = await ask(client, "POST", "/train", Host=host)
    assert response.status_code == 403, response.text


def test_no_key_is_needed_on_loopback(settings: Settings) -> None:
    assert resolve_key(settings) == (None, False)
    assert not (settings.data_dir / KEY_FILE).exists()


def test_key_of_the_settings_is_used_wherever_the_server_listens(keyed: Settings) -> None:
    assert resolve_key(keyed) == (KEY, False)
    assert resolve_key(keyed.model_copy(update={"host": "0.0.0.0"})) == (KEY, False)


def test_key_is_made_beyond_loopback_and_kept_for_its_owner_alone(settings: Settings) -> None:
    open_settings = settings.model_copy(update={"host": "0.0.0.0"})
    key, is_made = resolve_key(open_settings)
    assert is_made
    assert key
    assert len(key) >= 32
    assert stat.S_IMODE((settings.data_dir / KEY_FILE).stat().st_mode) == 0o600
    assert resolve_key(open_settings) == (key, True)


def test_two_servers_make_different_keys(settings: Settings, tmp_path: Path) -> None:
    first = settings.model_copy(update={"host": "::"})
    second = first.model_copy(update={"data_dir": tmp_path / "other"})
    assert resolve_key(first)[0] != resolve_key(second)[0]


def test_key_file_that_is_empty_is_refused_not_an_empty_key(settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / KEY_FILE).write_text("\n")
    with pytest.raises(OSError, match="is empty: delete it"):
        resolve_key(settings.model_copy(update={"host": "0.0.0.0"}))


def test_server_beyond_loopback_logs_its_key_once_and_then_its_file(tmp_path: Path) -> None:
    file = tmp_path / "data" / KEY_FILE
    arguments = ("--host", "0.0.0.0", "--trainer", "external")
    with start_server(tmp_path / "data", *arguments) as server, server.client() as client:
        (line,) = [line for line in server.log if "curl -X POST" in line]
        key = line.split("Authorization: Bearer ")[1].split("'")[0]
        assert key == file.read_text()
        assert str(file) in line
        assert client.post("/train").status_code == 401
        assert client.post("/train", headers={"Authorization": f"Bearer {key}"}).status_code == 202
        assert client.get("/metrics").is_success
    with start_server(tmp_path / "data", *arguments) as server, server.client() as client:
        assert not [line for line in server.log if key in line]
        (line,) = [line for line in server.log if str(file) in line]
        assert f"docker compose exec server cat {file}" in line
        assert client.delete("/train/1", headers={"Authorization": f"Bearer {key}"}).status_code == 200


@pytest.mark.parametrize(
    "key", ["clé-secrète", "a secret key", " leading1", "tab\tinside", "пароль-длинный", "bell\x07bell"]
)
def test_key_that_no_header_can_carry_is_refused_at_start(key: str, settings: Settings) -> None:
    with pytest.raises(ValidationError, match="no client can send"):
        Settings(api_key=SecretStr(key))
    settings.data_dir.mkdir()
    (settings.data_dir / KEY_FILE).write_text(f"x{key}x")
    with pytest.raises(OSError, match="no client can send"):
        resolve_key(settings.model_copy(update={"host": "0.0.0.0"}))


def test_server_on_loopback_logs_no_key(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, server.client() as client:
        assert client.post("/train").status_code == 202
        assert not [line for line in server.log if "Bearer" in line]
