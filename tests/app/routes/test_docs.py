import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.support.services import BASE_URL

pytestmark = pytest.mark.anyio

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("base", "href")}


class LoadedUrls(HTMLParser):
    """Collects the URLs that a page has the browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value for name, value in attrs if (tag, name) in LOADED and value]


async def test_docs_and_all_they_load_come_from_this_server(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    parser = LoadedUrls()
    parser.feed(page.text)
    described = re.search(r"url: '([^']+)'", page.text)
    assert described
    urls = [*parser.urls, described[1]]
    assert len(urls) == 4  # script, style, icon, the OpenAPI document
    for url in urls:
        absolute = urljoin(f"{BASE_URL}/docs", url)
        assert urlsplit(absolute).netloc == urlsplit(BASE_URL).netloc
        asset = await client.get(absolute)
        assert asset.status_code == 200
        assert len(asset.content) > 500
    assert "http://" not in page.text
    assert "https://" not in page.text


async def test_docs_work_below_a_prefix_of_a_proxy(client: httpx.AsyncClient) -> None:
    parser = LoadedUrls()
    parser.feed((await client.get("/docs")).text)
    assert [url for url in parser.urls if url.startswith("/")] == []


async def test_style_of_the_docs_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    style = (await client.get("/docs/assets/swagger-ui.css")).text
    assert re.findall(r"""url\(\s*["']?(?:https?:)?//""", style) == []
    assert "@import" not in style


async def test_docs_ask_no_validator_elsewhere(client: httpx.AsyncClient) -> None:
    assert '"validatorUrl": null' in (await client.get("/docs")).text


async def test_assets_do_not_lead_out_of_their_folder(client: httpx.AsyncClient) -> None:
    for path in ("/docs/assets/..%2f..%2f__init__.py", "/docs/assets/%2e%2e/__init__.py", "/docs/assets/"):
        assert (await client.get(path)).status_code == 404


async def test_docs_and_their_assets_have_a_policy(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self' 'sha256-" in policy
    assert "script-src 'self' 'unsafe" not in policy
    assert "http" not in policy
    for path in ("/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"):
        asset = await client.get(path)
        assert "frame-ancestors 'none'" in asset.headers["content-security-policy"]
        assert asset.headers["x-content-type-options"] == "nosniff"
