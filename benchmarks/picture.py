"""The README's picture of the race: requests a second as bars."""

import statistics
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.serving import JUDGED, OURS, Race
from inkling.model_card.charts import BLACK, BLUE, GREY, WHITE, png

WIDTH, BAR, GAP, LEFT, RIGHT = 900, 22, 8, 210, 90
TITLES = {"multipart": "a form with a PNG, requests a second", "raw": "a PNG as the body, requests a second"}


def draw(race: Race, path: Path) -> None:
    """Draw the medians at JUDGED connections, the largest first; no-ops, which read nothing, in gray."""
    panels = [
        (title, sorted(((_rate(race, upload, name), name) for name in race.names(upload)), reverse=True))
        for upload, title in TITLES.items()
    ]
    height = sum(56 + len(rows) * (BAR + GAP) for _, rows in panels) + 12
    picture = Image.new("RGB", (WIDTH, height), WHITE)
    drawing, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    top = 12
    for title, rows in panels:
        drawing.text((LEFT, top + 10), title, fill=BLACK, font=ImageFont.load_default(size=16), anchor="lm")
        top += 32
        longest = rows[0][0] if rows else 1.0
        for rate, name in rows:
            right = LEFT + (WIDTH - LEFT - RIGHT) * rate / longest
            color = BLUE if name == OURS.name else (GREY if name.startswith("no-op") else (120, 120, 120))
            drawing.rectangle((LEFT, top, right, top + BAR), fill=color)
            drawing.text((LEFT - 10, top + BAR / 2), name, fill=BLACK, font=font, anchor="rm")
            drawing.text((right + 8, top + BAR / 2), f"{rate:,.0f}", fill=BLACK, font=font, anchor="lm")
            top += BAR + GAP
        top += 24
    path.write_bytes(png(picture.quantize(32)))


def _rate(race: Race, upload: str, name: str) -> float:
    return statistics.median(one.requests_per_s for one in race.loads[upload, name, JUDGED])
