"""The network that the page computes by itself, against the server's answers."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.people import Person
from inkling.digit import Gray
from tests.page.visitors import Visitor
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

READ = """async (images) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { forward, loadNetwork } = await import(`${folder}network.js`);
  const network = await loadNetwork(1);
  return images.map((pixels) => {
    const { probabilities, digitScore } = forward(network, Uint8Array.from(pixels));
    return [...probabilities, digitScore];
  });
}"""


def test_browser_computes_the_servers_probabilities_and_digit_scores(visitor: Visitor, site: Server) -> None:
    # given: a hand that is hard to read, so that some images are read in all views, and one image without a digit
    images = [*Person(0).write(list(range(10)) * 2, seed=1).images, np.full((28, 28), 90, np.uint8)]
    files = [("file", png(image)) for image in images]
    answers = httpx.post(f"{site.url}/predict", files=files).json()["predictions"]
    # when
    read = np.array(visitor.open(site.url).evaluate(READ, [image.ravel().tolist() for image in images]))
    # then
    expected = [[*answer["probabilities"], answer["digit_score"]] for answer in answers]
    np.testing.assert_allclose(read, expected, rtol=0, atol=5e-6)


def png(image: Gray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
