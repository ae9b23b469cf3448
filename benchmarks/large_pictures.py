"""`python -m benchmarks.large_pictures`: digits of training images in pictures of 4000x3000 pixels, reduced or not.

Supports the choice of `MAX_SIDE` in `inkling.vision.normalize`, and of `REDUCED_SIDE` and `MIN_DIGIT_SIDE` in
`inkling.vision.normalized_files`. It takes some minutes; never the test images.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.digits import mnist_dir
from inkling.digit import Floats, Gray
from inkling.errors import NoDigitError
from inkling.mnist import Dataset, read_folder
from inkling.model_card.markdown import table
from inkling.predictor import Predictor
from inkling.vision import normalize, normalized_files
from inkling.vision.normalized_files import normalize_file
from tests.support.bodies import image_file

COUNT = 240
HEIGHT, WIDTH = 3000, 4000
EDGE = 200
"""Pixels between a digit and the picture's edges, at least."""
SIDES = (60, 90, 140, 220, 400, 800, 1500)
"""Of the enlarged images, in pixels."""
PAPERS = ("plain", "shaded", "noisy", "ruled")


class Limits(NamedTuple):
    max_side: int = normalize.MAX_SIDE
    reduced_side: int | None = None
    """Of a JPEG file; with None, pixels are normalized."""
    min_digit_side: int = 1

    def apply(self) -> None:
        normalize.MAX_SIDE = self.max_side
        normalized_files.REDUCED_SIDE, normalized_files.MIN_DIGIT_SIDE = self.reduced_side or 1, self.min_digit_side

    def __str__(self) -> str:
        if self.reduced_side is None:
            return f"pixels, reduced above {self.max_side:,}"
        if self.reduced_side >= WIDTH:
            return "JPEG, decoded whole"
        return f"JPEG, decoded to {self.reduced_side:,} pixels, digits of {self.min_digit_side}"


LIMITS = (
    *(Limits(max_side) for max_side in (4096, 2048, 1024)),
    Limits(reduced_side=WIDTH),
    *(Limits(reduced_side=side, min_digit_side=digit) for side in (768, 384) for digit in (48, 32, 24)),
)


class Score(NamedTuple):
    limits: Limits
    outcomes: Counter[str]
    """right, wrong or refused."""
    ms: dict[str, float]
    """CPU time of a picture, by its paper."""


def pictures(data: Dataset, seed: int) -> Iterator[tuple[str, Gray, int]]:
    """Yield papers, pictures (HEIGHT, WIDTH) and labels: each paper in turn, digits and places at random."""
    random = np.random.default_rng(seed)
    for number in range(COUNT):
        index, side = int(random.integers(len(data.train))), int(random.choice(SIDES))
        image = Image.fromarray(np.pad(data.train.images[index], 2))
        top, left = int(random.integers(EDGE, HEIGHT - side - EDGE)), int(random.integers(EDGE, WIDTH - side - EDGE))
        strokes = np.zeros((HEIGHT, WIDTH), np.float32)
        strokes[top : top + side, left : left + side] = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
        paper = PAPERS[number % len(PAPERS)]
        yield paper, _on(paper, strokes, side, random), int(data.train.labels[index])


def _on(paper: str, strokes: Floats, side: int, random: np.random.Generator) -> Gray:
    """Return strokes (h, w), 0 to 255, on paper; the lines of ruled paper are one pixel wide."""
    levels = 255 - strokes
    if paper == "shaded":
        levels = 210 - 0.7 * strokes - np.linspace(0, 50, WIDTH, dtype=np.float32)
    elif paper == "noisy":
        levels = 200 - 0.6 * strokes + 4 * random.standard_normal(strokes.shape, np.float32)
    elif paper == "ruled":
        lines = levels[:: max(60, side // 2)]
        np.minimum(lines, 190, out=lines)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def measure(data: Dataset, seed: int) -> list[Score]:
    predictor = Predictor.load()
    scores = [Score(limits, Counter(), dict.fromkeys(PAPERS, 0.0)) for limits in LIMITS]
    for paper, picture, label in pictures(data, seed):
        content = image_file(Image.fromarray(picture).convert("RGB"), "JPEG", quality=85)
        for score in scores:
            score.limits.apply()
            is_file = score.limits.reduced_side is not None
            started_s = time.process_time()
            try:
                normalized = normalize_file(content).normalized if is_file else normalize.normalize(picture)
                outcome = "right" if predictor.predict_readings([normalized]).digits == [label] else "wrong"
            except NoDigitError:
                outcome = "refused"
            score.ms[paper] += (time.process_time() - started_s) * 1e3 * len(PAPERS) / COUNT
            score.outcomes[outcome] += 1
    return scores


def main() -> int:
    with mnist_dir() as (folder, name):
        scores = measure(read_folder(folder), seed=1)
    print(f"{COUNT} pictures with training images of {name}\n")
    rows = [
        [str(score.limits), *(str(score.outcomes[outcome]) for outcome in ("right", "wrong", "refused"))]
        + [f"{score.ms[paper]:.0f}" for paper in PAPERS]
        for score in scores
    ]
    print(table(("picture", "right", "wrong", "refused", *(f"ms, {paper}" for paper in PAPERS)), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
