"""Drawings that the page reads by itself, against the server's answers."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkling.model_card.drawings import vary
from inkling.model_card.stroke_templates import STROKE_TEMPLATES, parse_strokes, smooth
from tests.page.visitors import Visitor
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

COUNT = 300
AT_A_TIME = 100
READ = """async (drawings) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const [strokes, normalize, network, reading] = await Promise.all(
    ["strokes.js", "normalize.js", "network.js", "reading.js"].map((name) => import(folder + name)),
  );
  const version = await network.loadNetwork(1);
  return Promise.all(drawings.map(async (drawing) => {
    const picture = strokes.toPng(drawing);
    const { levels, side } = strokes.drawnLevels(picture);
    const readings = normalize.normalize(levels, side);
    const bytes = new Uint8Array(await picture.arrayBuffer());
    const png = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    if (typeof readings === "string") return { png, image: readings };
    const { image, probabilities, digitScore } = reading.chooseReading(version, readings);
    return { png, image: [...image], probabilities: [...probabilities], digitScore };
  }));
}"""


def drawings() -> Iterator[list[list[list[float]]]]:
    """Yield strokes on the pad, every one a little different."""
    templates = [template for each in STROKE_TEMPLATES.values() for template in each.values()]
    for number in range(COUNT):
        random = np.random.default_rng(number)
        paths = [smooth(stroke, steps=4) for stroke in parse_strokes(templates[number % len(templates)])]
        scale, corner = random.uniform(60, 160), random.uniform(10, 100, 2)
        yield [(corner + scale * path).tolist() for path in vary(paths, random)]


def test_browser_makes_the_servers_images_of_drawings_and_reads_the_same(visitor: Visitor, site: Server) -> None:
    read = visitor.open(site.url).evaluate(READ, list(drawings()))
    differing = [
        number
        for start in range(0, COUNT, AT_A_TIME)
        for number, (own, server) in enumerate(compared(site, read[start : start + AT_A_TIME]), start)
        if not is_same(own, server)
    ]
    assert differing == []


def compared(site: Server, read: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    files = [("file", base64.b64decode(own["png"])) for own in read]
    answer = httpx.post(f"{site.url}/predict?fit=mnist&return_image=true", files=files, timeout=60)
    return zip(read, answer.raise_for_status().json()["predictions"], strict=True)


def is_same(own: dict[str, Any], server: dict[str, Any]) -> bool:
    close = np.allclose(own["probabilities"], server["probabilities"], rtol=0, atol=5e-6)
    return own["image"] == image(server["normalized"]["image"]).ravel().tolist() and close


def image(uri: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
