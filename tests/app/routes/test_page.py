import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from app.errors import slug

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parent.parent.parent.parent / "app" / "page"
MAX_COMPRESSED_BYTES = 200_000
LANGUAGES = ("english", "chinese")


class LinkedFiles(HTMLParser):
    """Collects the files that the page loads, and whatever the policy would not let it run."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in ("script", "link"):
            self.urls.append(attributes.get("src") or attributes.get("href") or "")
        self.inline += [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)


async def linked(client: httpx.AsyncClient) -> LinkedFiles:
    parser = LinkedFiles()
    parser.feed((await client.get("/")).text)
    return parser


async def test_page_is_few_files_of_this_server_whose_content_never_changes(client: httpx.AsyncClient) -> None:
    manifest, *files = (await linked(client)).urls
    assert [url.rpartition("/")[2] for url in files] == ["icon.svg", "inter.woff2", "style.css", "main.js"]
    icons = [icon["src"] for icon in (await client.get(f"/{manifest}")).json()["icons"]]
    for url in files + icons:
        answer = await client.get(f"/{url}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "octet-stream" not in answer.headers["content-type"]


async def test_worker_keeps_the_files_that_the_page_needs(client: httpx.AsyncClient) -> None:
    manifest, *files = (await linked(client)).urls
    worker = await client.get("/service-worker.js")
    assert set(re.findall(r'"(page/[^"]+)"', worker.text)) == set(files)
    for answer in (worker, await client.get(f"/{manifest}")):
        assert answer.headers["cache-control"] == "no-cache"
        url = str(answer.request.url)
        assert (await client.get(url, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_style_sheets_are_one(client: httpx.AsyncClient) -> None:
    url = next(url for url in (await linked(client)).urls if url.endswith(".css"))
    styles = (await client.get(f"/{url}")).text
    for file in PAGE.glob("*.css"):
        assert file.read_text() in styles, file.name


async def test_modules_can_be_imported_one_by_one(client: httpx.AsyncClient) -> None:
    folder = (await linked(client)).urls[-1].rpartition("/")[0]
    for file in PAGE.glob("*.js"):
        answer = await client.get(f"/{folder}/{file.name}")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.content == file.read_bytes() or file.name in ("main.js", "service-worker.js")


async def test_page_is_small_and_compressed_for_those_who_accept_it(client: httpx.AsyncClient) -> None:
    total = 0
    for url in ["", *(await linked(client)).urls]:
        async with client.stream("GET", f"/{url}", headers={"Accept-Encoding": "gzip"}) as answer:
            total += len(b"".join([part async for part in answer.aiter_raw()]))
            if "page/" in url:
                assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
        plain = await client.get(f"/{url}", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
    assert total < MAX_COMPRESSED_BYTES


async def test_page_names_its_files_below_a_prefix_of_a_proxy(client: httpx.AsyncClient) -> None:
    assert [url for url in (await linked(client)).urls if url.startswith(("/", "http"))] == []


async def test_policy_lets_nothing_in_from_elsewhere_or_inline(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "trusted-types inkling-worker" in policy.split("; ")
    assert (await linked(client)).inline == []


async def test_page_is_asked_for_again_and_answered_shortly_when_it_is_the_same(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get("/", headers={"If-None-Match": '"another"'})).content == page.content


async def test_files_of_another_release_are_not_mistaken_for_these(client: httpx.AsyncClient) -> None:
    for path in ("/page/0123456789abcdef/main.js", "/page/main.js"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_are_still_problems(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/index.html", "/page/", "/page/..%2fmain.py"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_both_languages_say_the_same_things() -> None:
    keys = {
        name: set(re.findall(r'^  "([^"]+)":', (PAGE / f"{name}.js").read_text(), re.MULTILINE)) for name in LANGUAGES
    }
    only_chinese = {
        key for key in keys["chinese"] - keys["english"] if not key.startswith("problem.") and not key.endswith(".note")
    }
    assert (keys["english"] - keys["chinese"], only_chinese) == (set(), set())


async def test_every_text_asked_for_exists() -> None:
    texts = set(re.findall(r'^  "([^"]+)":', (PAGE / "english.js").read_text(), re.MULTILINE))
    asked = {key for file in PAGE.glob("*.js") for key in re.findall(r'\bt\("([^"]+)"', file.read_text())}
    assert asked
    assert asked - texts == set()


async def test_every_kind_of_problem_has_its_chinese_words(client: httpx.AsyncClient) -> None:
    named = set(re.findall(r'^  "problem\.([^"]+)":', (PAGE / "chinese.js").read_text(), re.MULTILINE))
    assert named == {slug(kind["title"]) for kind in (await client.get("/problems")).json()}


def test_chinese_has_chinese_punctuation() -> None:
    texts = re.findall(r'^  "[^"]+": "(.*)",$', (PAGE / "chinese.js").read_text(), re.MULTILINE)
    assert texts
    half = re.compile(r"[\u4e00-\u9fff][,;:!?.()]|[,;:!?()][\u4e00-\u9fff]")
    assert [text for text in texts if half.search(text)] == []
