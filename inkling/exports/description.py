"""The description inside of an export: its metadata, and a short README."""

import json
from dataclasses import dataclass
from typing import Any

from inkling.exports.measurement import IMAGES
from inkling.exports.network import PortableNetwork

README = """\
Inkling, version {version} of the network, as {title}, with {weights} weights

Reads handwritten digits. Input: images, uint8 (n, 784), the 28 rows of 28 pixels, 0 background to 255 foreground,
placed as MNIST's digits are. Output: scores, float32 (n, 10), the probabilities of the digits 0 to 9, and digits,
int64 (n), the most probable ones. The temperature is inside. {views}

On {images} drawn images, no probability differed from the server's by more than {difference:g}; on others it may.
Not inside: the normalization of other pictures (fit=mnist), and whether an image shows a digit at all (is_digit).

{run}
"""
VIEWS = """So are the views:
an image whose first confidence is below {below:g} is answered from the mean of five readings, of itself and of its
shifts by one pixel."""
NO_VIEWS = "This version has no views."


@dataclass(frozen=True)
class Description:
    """What an export says about itself."""

    network: PortableNetwork
    format: str
    largest_difference: float

    def metadata(self) -> dict[str, Any]:
        """Return the origin of the export, its largest difference from the server, and the checkpoint's card."""
        return {
            "version": self.network.version,
            "checkpoint_sha256": self.network.checkpoint.digest,
            "format": self.format,
            "weights": self.network.weights,
            "largest_difference": self.largest_difference,
            "measured_images": IMAGES,
            "card": self.network.card.model_dump(mode="json"),
        }

    def metadata_json(self) -> str:
        """Return the metadata as ASCII, in one line, without `*/`: safe in a comment of C, as code of JavaScript."""
        return json.dumps(self.metadata()).replace("/", "\\/")

    def readme(self, title: str, run: str) -> str:
        """Return the README.

        Args:
            title: of the format.
            run: how to run it, with {version} for the version.
        """
        views = self.network.card.views
        return README.format(
            version=self.network.version,
            title=title,
            weights=self.network.weights,
            views=VIEWS.format(below=views.below) if views else NO_VIEWS,
            difference=self.largest_difference,
            images=IMAGES,
            run=run.replace("{version}", str(self.network.version)).strip(),
        )
