"""Pictures of a digit inside of other pictures: bars, pages, screenshots, frames and form cells."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Gray
from inkling.model_card.yardstick.handwriting import Digit
from inkling.model_card.yardstick.paper import Sheet, canvas, sheet

INVERTED_SHARE = 0.15
"""Share of the framed drawings that are light on dark."""


def add_bars(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Show a picture in a gallery: black bars above and below, or beside, that take 0.2, 0.4 or 0.6 of the screen."""
    picture = _picture(digit, random)
    axis = 0 if random.random() < 0.8 else 1
    share = (0.2, 0.4, 0.6)[strength]
    total = round(picture.shape[axis] * share / (1 - share))
    before = round(total * random.uniform(0.4, 0.6))
    gaps = [(0, 0), (0, 0)]
    gaps[axis] = (before, total - before)
    return np.pad(picture, gaps, constant_values=int(random.choice([0, 0, 0, 12, 24])))


def put_on_white_page(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Put a photograph on a white page of 1.3, 1.8 or 2.6 times its sides."""
    return _on_page(_photo(digit, random), 255, strength, random)


def put_on_gray_page(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Put a light picture on a gray page of 1.3, 1.8 or 2.6 times its sides."""
    return _on_page(_picture(digit, random), int(random.integers(90, 150)), strength, random)


def put_on_dark_page(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Put a light picture on a dark page of 1.3, 1.8 or 2.6 times its sides."""
    return _on_page(_picture(digit, random), int(random.integers(8, 50)), strength, random)


def take_screenshot(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Take a phone's screenshot: the picture alone, then empty bars, then a clock, a title and icons."""
    width = int(random.choice([270, 360, 480]))
    picture = Image.fromarray(_picture(digit, random))
    picture = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.BICUBIC)
    height = max(round(width * random.uniform(1.8, 2.2)), picture.height + width // 2)
    is_dark = random.random() < 0.4
    page, text = (int(random.integers(0, 30)), 230) if is_dark else (int(random.integers(245, 256)), 20)
    screen = Image.new("L", (width, height), page)
    draw, unit = ImageDraw.Draw(screen), width / 36
    if strength:
        bar = min(255, page + 22) if is_dark else page - 14
        draw.rectangle((0, 0, width, 5 * unit), fill=bar)
        draw.rectangle((0, height - 4 * unit, width, height), fill=bar)
    if strength == 2:
        _draw_controls(draw, (width, height), unit, text, random)
    top = (height - picture.height) / 2 + random.uniform(-2, 2) * unit
    screen.paste(picture, (0, round(top)))
    return np.asarray(screen)


def frame(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Draw a frame around a picture: 1 to 2 pixels at its edge; then thin, or thick, at a distance from the edge."""
    picture = _picture(digit, random)
    height, width = picture.shape
    side = min(height, width)
    line = (random.uniform(1, 2.5), random.uniform(0.008, 0.016) * side, random.uniform(0.025, 0.05) * side)[strength]
    inset = 0 if strength == 0 else round(random.uniform(0, 0.06) * side)
    framed = Image.fromarray(np.pad(picture, inset + round(0.04 * side), mode="edge"))
    box = (inset, inset, framed.width - 1 - inset, framed.height - 1 - inset)
    level = int(random.choice([0, 0, 30, 70, 110]))
    draw = ImageDraw.Draw(framed)
    if random.random() < 0.25:
        draw.rounded_rectangle(box, radius=side * random.uniform(0.03, 0.1), outline=level, width=max(1, round(line)))
    else:
        draw.rectangle(box, outline=level, width=max(1, round(line)))
    gray = np.asarray(framed)
    return 255 - gray if random.random() < INVERTED_SHARE else gray


def put_in_cell(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Write into a printed form: a light cell, then a cell in a row, then one in a table of thick dark lines."""
    side = int(random.choice([56, 90, 140, 220, 320, 480]))
    share = random.uniform(0.42, (0.5, 0.55, 0.6)[strength])
    page = sheet(digit, random, size=(side, side), share=share, margin=0.42)
    angle = np.deg2rad(random.uniform(-1, 1) * (0, 1, 2)[strength])
    y, x = np.indices((side, side), np.float32)
    x, y = x - np.float32(page.center[0]), y - np.float32(page.center[1])
    x, y = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    tall = page.height * random.uniform(1.25, 1.6)
    wide = max(tall * random.uniform(0.75, 1.1), 1.3 * _width(page))
    line = max(1.0, side * random.uniform(*((0.004, 0.008), (0.006, 0.012), (0.012, 0.024))[strength]))
    columns = np.clip(line / 2 + 0.5 - np.abs(np.abs(x) - wide / 2 if strength == 0 else _from_cells(x, wide)), 0, 1)
    rows = np.clip(line / 2 + 0.5 - np.abs(np.abs(y) - tall / 2 if strength < 2 else _from_cells(y, tall)), 0, 1)
    columns[(np.abs(y) > tall / 2 + line / 2) & (strength < 2)] = 0
    rows[(np.abs(x) > wide / 2 + line / 2) & (strength == 0)] = 0
    printed = np.maximum(rows, columns) * np.float32((0.45, 0.75, 1.0)[strength] * page.darkness)
    return page.gray(printed.astype(np.float32))


def _from_cells(place: np.ndarray, pitch: float) -> np.ndarray:
    """Return the distance to the nearest border of cells, one of which is centered at 0."""
    moved = place / pitch + 0.5
    return (moved - np.rint(moved)) * pitch


def _width(page: Sheet) -> int:
    return int(page.strokes.any(axis=0).sum())


def _picture(digit: Digit, random: np.random.Generator) -> Gray:
    """Return a drawing on a white canvas, or a photograph."""
    return canvas(digit, random).gray() if random.random() < 0.5 else _photo(digit, random)


def _photo(digit: Digit, random: np.random.Generator) -> Gray:
    return sheet(digit, random).gray(light=float(random.uniform(0.75, 0.97)))


def _on_page(picture: Gray, level: int, strength: int, random: np.random.Generator) -> Gray:
    height, width = picture.shape
    scale = (1.3, 1.8, 2.6)[strength] - 1
    above, left = random.uniform(0.25, 0.75, 2)
    rows, columns = round(height * scale), round(width * scale)
    top, start = round(rows * above), round(columns * left)
    return np.pad(picture, ((top, rows - top), (start, columns - start)), constant_values=level)


def _draw_controls(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], unit: float, text: int, random: np.random.Generator
) -> None:
    """Draw a clock, a battery, a title and four icons in the bars of a screen (width, height)."""
    width, height = size
    font = ImageFont.load_default(size=max(8, round(1.6 * unit)))
    draw.text((unit, 0.2 * unit), f"{random.integers(1, 13)}:{random.integers(10, 60)}", fill=text, font=font)
    draw.rectangle((width - 3.2 * unit, 0.5 * unit, width - unit, 1.5 * unit), outline=text)
    draw.rectangle((width - 3 * unit, 0.7 * unit, width - 1.6 * unit, 1.3 * unit), fill=text)
    draw.text(
        (width / 2, 3.4 * unit), str(random.choice(["IMG_0412", "Photo", "Today"])), fill=text, font=font, anchor="mm"
    )
    for k in range(4):
        x, y, r = width * (k + 0.5) / 4, height - 2 * unit, 0.8 * unit
        if k % 2:
            draw.ellipse((x - r, y - r, x + r, y + r), outline=text, width=max(1, round(unit / 5)))
        else:
            draw.rectangle((x - r, y - r, x + r, y + r), outline=text, width=max(1, round(unit / 5)))
