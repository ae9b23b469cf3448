"""Digits as pages and photographs give them: turned, stretched, thin, thick or blurred, and placed again."""

import numpy as np
from PIL import Image, ImageFilter

from inkling.digit import SIDE, Gray, Images
from inkling.vision.placement import bounding_box, place_in_frame

ENLARGED = 2
PADDING = SIDE // 2
MAX_ROTATION, MAX_SCALE, MAX_SHEAR = 12, 0.2, 0.2
"""Degrees; natural logarithm per axis; pixels per pixel."""
FAINT = 40
"""Gray levels up to this are background."""


def distort_digits(digits: Images, seed: int) -> Images:
    """Return digits (n, 28, 28), each distorted at random and placed by MNIST's rule."""
    random = np.random.default_rng([seed, 4])
    return np.stack([_distorted(digit, random) for digit in digits])


def _distorted(digit: Gray, random: np.random.Generator) -> Gray:
    side = (SIDE + 2 * PADDING) * ENLARGED
    image = Image.fromarray(np.pad(digit, PADDING)).resize((side, side), Image.Resampling.BILINEAR)
    turn, shear = np.deg2rad(random.uniform(-MAX_ROTATION, MAX_ROTATION)), random.uniform(-MAX_SHEAR, MAX_SHEAR)
    scale_x, scale_y = np.exp(random.uniform(-MAX_SCALE, MAX_SCALE, 2))
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[scale_x, shear], [0, scale_y]]
    )
    offset = side / 2 - linear @ np.full(2, side / 2)
    affine = np.concatenate([linear, offset[:, np.newaxis]], axis=1).ravel().tolist()
    image = image.transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    image = _with_another_pen(image, random)
    strokes = np.asarray(image)
    strokes = np.where(strokes > FAINT, strokes, 0).astype(np.uint8)
    box = bounding_box(strokes > 0)
    if box is None:  # too thin or too faint to be changed
        return digit
    left, top, right, bottom = box
    return place_in_frame(strokes[top:bottom, left:right])


def _with_another_pen(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return the strokes thicker, thinner, or as they are; some of them blurred."""
    pen = random.integers(4)
    if pen == 0:
        image = image.filter(ImageFilter.MaxFilter(3))
    elif pen == 1:
        image = image.filter(ImageFilter.MinFilter(3))
    if random.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2)))
    return image
