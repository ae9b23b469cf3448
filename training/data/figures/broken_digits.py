"""Digits that are none any more: several at once, halves of two, parts at other places, crossed out."""

import numpy as np
from PIL import Image, ImageDraw

from inkling.digit import DIGIT_SIDE, SIDE, Gray, Images
from training.data.figures.hand import MARGIN, OVERSAMPLING, Random, placed
from training.data.pen import centered


def several_digits(random: Random, digits: Images) -> Gray:
    """Return two or three digits side by side, scaled to one digit's box."""
    chosen = digits[random.integers(0, len(digits), 2 + int(random.random() < 0.4))]
    gap = int(random.integers(2, 6))
    row = np.concatenate([digit[:, gap:-gap] for digit in chosen], axis=1)
    image = Image.fromarray(row)
    box = image.point(lambda level: 255 * (level > 64)).getbbox() or (0, 0, *image.size)
    zoom = DIGIT_SIDE / max(box[2] - box[0], box[3] - box[1])
    size = (max(1, round((box[2] - box[0]) * zoom)), max(1, round((box[3] - box[1]) * zoom)))
    small = np.asarray(image.crop(box).resize(size, Image.Resampling.BOX))
    placed = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    placed[top : top + size[1], left : left + size[0]] = small
    return centered(placed)


def joined_halves(random: Random, digits: Images) -> Gray:
    """Return halves of two digits, of which at least one is mirrored or turned."""
    one, other = digits[random.integers(0, len(digits), 2)]
    one = _turned(one, random)
    if random.random() < 0.5:
        other = _turned(other, random)
    half = SIDE // 2
    if random.random() < 0.5:
        return placed(np.concatenate([one[:half], other[half:]]))
    return placed(np.concatenate([one[:, :half], other[:, half:]], axis=1))


def _turned(digit: Gray, random: Random) -> Gray:
    turned: Gray = (digit[:, ::-1], digit[::-1], digit.T, digit[::-1].T)[random.integers(4)]
    return turned


def exchanged_quarters(random: Random, digits: Images) -> Gray:
    """Return a digit whose quarters stand at other places, some of them mirrored."""
    low, middle, high = MARGIN, SIDE // 2, SIDE - MARGIN
    digit = digits[random.integers(0, len(digits))]
    quarters = [
        digit[rows, columns]
        for rows in (slice(low, middle), slice(middle, high))
        for columns in (slice(low, middle), slice(middle, high))
    ]
    order = np.roll(np.arange(4), random.integers(1, 4))  # none stays
    a, b, c, d = (quarters[i][:, ::-1] if random.random() < 0.3 else quarters[i] for i in order)
    return placed(np.pad(np.block([[a, b], [c, d]]), MARGIN))


def crossed_out(random: Random, digits: Images) -> Gray:
    """Return a digit under two to five straight strokes."""
    side = SIDE * OVERSAMPLING
    image = Image.fromarray(digits[random.integers(0, len(digits))]).resize((side, side))
    draw, width = ImageDraw.Draw(image), int(random.integers(5, 14))
    for _ in range(random.integers(2, 6)):
        angle, length = random.uniform(0, np.pi), random.uniform(25, 45)
        along, middle = length * np.array([np.cos(angle), np.sin(angle)]), random.uniform(40, 72, 2)
        draw.line([*(middle - along).tolist(), *(middle + along).tolist()], fill=255, width=width)
    return placed(np.asarray(image.reduce(OVERSAMPLING)))
