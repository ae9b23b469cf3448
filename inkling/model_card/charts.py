"""The charts of the model card: a confusion matrix and a reliability diagram, drawn by matplotlib.

They are drawn on figures of their own, by the Agg renderer and matplotlib's default style: no global state, no settings
of the user, and no date or version in the file. So the same numbers give the same bytes.
"""

import io
from collections.abc import Callable, Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES, Floats
from inkling.network.evaluation import CALIBRATION_BINS, confidence_bins

BLUE, ORANGE, GRAY = "#1f61a5", "#e06c14", "#737373"
DPI = 120
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.edgecolor": "#4d4d4d",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e3e3e3",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}


def chart_png(draw: Callable[[Figure], None], width: float, height: float) -> bytes:
    """Return the PNG file of a new figure, in inches, that `draw` fills."""
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
        FigureCanvasAgg(figure)
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})  # else matplotlib's version
    return file.getvalue()


def draw_confusion(figure: Figure, matrix: Sequence[Sequence[int]]) -> None:
    """Draw [true digit][predicted digit] -> images: correct ones in blue, mistakes in orange by their number."""
    counts = np.array(matrix)
    is_correct = np.eye(NUM_CLASSES, dtype=np.bool_)
    most = max(1, counts[~is_correct].max())
    opacity = np.where(is_correct, counts > 0, 0.85 * np.sqrt(counts / most))[..., np.newaxis]  # (10, 10, 1)
    colors = np.where(is_correct[..., np.newaxis], to_rgb(BLUE), to_rgb(ORANGE))  # (10, 10, 3)
    axes = figure.subplots()
    axes.imshow(1 - opacity * (1 - colors))
    for (i, j), count in np.ndenumerate(counts):
        if count:
            axes.text(j, i, f"{count:,}", ha="center", va="center", color="white" if i == j else "black")
    axes.set(xlabel="Predicted digit", ylabel="True digit", xticks=range(NUM_CLASSES), yticks=range(NUM_CLASSES))
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    edges = np.arange(NUM_CLASSES + 1) - 0.5
    axes.hlines(edges, -0.5, NUM_CLASSES - 0.5, color="#c8c8c8", linewidth=0.8)
    axes.vlines(edges, -0.5, NUM_CLASSES - 0.5, color="#c8c8c8", linewidth=0.8)


def draw_reliability(figure: Figure, panels: Sequence[tuple[str, Floats, NDArray[np.uint8]]]) -> None:
    """Draw a reliability diagram (Guo et al. 2017, figure 1) for each title, probabilities (n, 10) and labels (n,).

    A bar is the accuracy of the images in one bin of confidence, the number above it counts them. With perfect
    calibration the bars would reach the dashed line.
    """
    columns = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, probabilities, labels) in zip(columns, panels, strict=True):
        _draw_bins(axes, probabilities, labels)
        axes.set(xlabel="Confidence", ylabel="Accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_title(title, pad=18)  # above the counts of full bars
        axes.grid()
    figure.legend(*columns[0].get_legend_handles_labels(), loc="outside lower center", frameon=False)


def _draw_bins(axes: Axes, probabilities: Floats, labels: NDArray[np.uint8]) -> None:
    bins = confidence_bins(probabilities, labels)
    places = np.flatnonzero(bins.counts)
    centers = (places + 0.5) / CALIBRATION_BINS
    accuracies = bins.correct[places] / bins.counts[places]
    axes.bar(centers, accuracies, width=0.9 / CALIBRATION_BINS, color=BLUE)
    axes.plot([0, 1], [0, 1], color=ORANGE, linestyle="--", label="Perfect calibration")
    for x, y, count in zip(centers, accuracies, bins.counts[places], strict=True):
        axes.annotate(
            f"{count:,}",
            (x, y),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.6},
        )
