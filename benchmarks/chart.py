"""The README's chart of the benchmark: requests per second as bars."""

import statistics
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.serving import CONNECTIONS, OURS, Race
from inkling.model_card.charts import BLUE, GRAY, chart_png

TITLES = {"multipart": "Form with a PNG: requests per second", "raw": "PNG as the body: requests per second"}
WIDTH, BAR, PANEL = 8.0, 0.3, 0.9
"""In inches: of the chart, of a bar with its gap, and of a panel without its bars."""
NO_OP_GRAY = "#bfbfbf"


def write_chart(race: Race, path: Path) -> None:
    """Write the PNG file of the medians, the largest first; no-ops, which read no digit, are light gray."""
    panels = {title: _rates(race, upload) for upload, title in TITLES.items() if race.names(upload)}
    height = sum(PANEL + BAR * len(rates) for rates in panels.values())
    path.write_bytes(chart_png(partial(draw_panels, panels=panels), WIDTH, height))


def draw_panels(figure: Figure, panels: dict[str, dict[str, float]]) -> None:
    """Draw one panel per title, with one bar per name."""
    column = figure.subplots(len(panels), squeeze=False, height_ratios=[len(rates) for rates in panels.values()])[:, 0]
    for axes, (title, rates) in zip(column, panels.items(), strict=True):
        axes.set_title(title, loc="left", pad=8)
        _draw_bars(axes, rates)


def _draw_bars(axes: Axes, rates: dict[str, float]) -> None:
    colors = [BLUE if name == OURS.name else NO_OP_GRAY if name.startswith("no-op") else GRAY for name in rates]
    bars = axes.barh(list(rates), list(rates.values()), color=colors, height=0.74)
    axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates.values()], padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.02)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)


def _rates(race: Race, upload: str) -> dict[str, float]:
    """Return the median requests per second by name, the largest first."""
    rates = {
        name: statistics.median(one.requests_per_s for one in race.loads[upload, name, CONNECTIONS])
        for name in race.names(upload)
    }
    return dict(sorted(rates.items(), key=lambda item: -item[1]))
