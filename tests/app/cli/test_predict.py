import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkling.network.checkpoint import Checkpoint
from inkling.plots.predictions import MARGIN, TILE
from inkling.vision.normalize import normalize
from tests.support.command_line import InklingHere, check_error, inkling


@pytest.fixture
def photo(tmp_path: Path, digits: NDArray[np.uint8]) -> Path:
    """A picture of a 7, dark on white, five times as large as an image."""
    path = tmp_path / "photo.png"
    Image.fromarray(255 - enlarged(digits[7])).save(path)
    return path


@pytest.fixture
def faint(tmp_path: Path, digits: NDArray[np.uint8]) -> Path:
    """A picture of a 7 of low contrast."""
    path = tmp_path / "faint.png"
    Image.fromarray((enlarged(digits[7]) // 12).astype(np.uint8)).save(path)
    return path


def enlarged(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(np.asarray(Image.fromarray(digit).resize((140, 140))), ((90, 0), (0, 60)))


def test_predict_reads_files_with_the_shipped_network(files: list[Path], tmp_path: Path) -> None:
    result = inkling("predict", *files)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == len(files)
    for line, file in zip(lines, files, strict=True):
        assert re.fullmatch(rf"{re.escape(str(file))}: \d \([01]\.\d{{3}}\)", line)
    assert not (tmp_path / "var").exists()  # reading creates no registry


def test_predict_uses_the_served_version_or_the_named_checkpoint(
    inkling_here: InklingHere, files: list[Path], two_versions: list[str], shipped: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "shipped.safetensors").write_bytes(shipped.content)
    by_shipped = inkling_here("predict", *files).stdout
    assert inkling_here("predict", *files, *two_versions).stdout != by_shipped
    named = ["--checkpoint", tmp_path / "shipped.safetensors"]
    assert inkling_here("predict", *files, *two_versions, *named).stdout == by_shipped


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.png", ["none.png: No such file or directory"]),
        ("text.png", ["text.png (12 bytes) is not an image"]),
        ("large.png", ["large.png is 40x40 pixels, expected 28x28; --fit mnist normalizes it"]),
    ],
)
def test_predict_names_the_file_that_it_cannot_read(
    inkling_here: InklingHere, tmp_path: Path, name: str, words: list[str]
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    check_error(inkling_here("predict", tmp_path / name), 1, *words)


def test_predict_reads_the_good_files_beside_bad_ones(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    good = inkling_here("predict", files[0], files[1]).stdout
    result = inkling_here("predict", files[0], tmp_path / "text.png", tmp_path / "none.png", files[1])
    assert (result.returncode, result.stdout) == (1, good)
    first, second = result.stderr.splitlines()
    assert first.startswith(f"error: {tmp_path / 'text.png'} (12 bytes) is not an image")
    assert second == f"error: {tmp_path / 'none.png'}: No such file or directory"


def test_predict_names_the_setting_that_limits_pixels(inkling_here: InklingHere, photo: Path) -> None:
    result = inkling_here("predict", "--fit", "mnist", "--max-pixels", "10000", photo)
    check_error(result, 1, "photo.png is 200x230, 46000 pixels; the limit is 10000")


def test_checkpoint_that_cannot_be_read_is_an_error(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    check_error(inkling_here("predict", files[0], "--checkpoint", files[0]), 1, "not a safetensors file")
    missing = tmp_path / "none.safetensors"
    check_error(inkling_here("predict", files[0], "--checkpoint", missing), 1, f"{missing}: No such file or directory")


def test_predict_reads_any_picture_with_fit_mnist(inkling_here: InklingHere, photo: Path, faint: Path) -> None:
    result = inkling_here("predict", photo, faint, "--fit", "mnist")
    assert result.returncode == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [str(photo), str(faint)]
    assert re.fullmatch(rf"warning: {re.escape(str(faint))}: the contrast is \d+ of 255 .*\n", result.stderr)


def test_predict_names_the_file_without_a_digit(inkling_here: InklingHere, tmp_path: Path) -> None:
    Image.new("L", (60, 50), 255).save(tmp_path / "blank.png")
    result = inkling_here("predict", tmp_path / "blank.png", "--fit", "mnist")
    check_error(result, 1, f"{tmp_path / 'blank.png'}: the picture is blank")


# the plot


def test_predict_draws_the_images_with_their_digits(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    plot = tmp_path / "plot.picture"
    assert inkling_here("predict", *files, "--plot", plot).returncode == 0
    with Image.open(plot) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height  # five in a row, seven in all


def test_plot_shows_the_images_that_the_network_read(
    inkling_here: InklingHere, photo: Path, tmp_path: Path, digits: NDArray[np.uint8]
) -> None:
    plot = tmp_path / "plot.png"
    assert inkling_here("predict", photo, tmp_path / "none.png", "--fit", "mnist", "--plot", plot).returncode == 1
    with Image.open(plot) as picture:
        tile = np.asarray(picture)[MARGIN : MARGIN + TILE, MARGIN : MARGIN + TILE]
        assert picture.width < 2 * TILE  # the file that failed is not on it
    expected = 255 - normalize(255 - enlarged(digits[7])).pixels
    np.testing.assert_array_equal(tile, np.kron(expected, np.ones((6, 6), np.uint8)))


def test_plot_of_many_images_shows_the_first_of_them(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    plots = tmp_path / "200.png", tmp_path / "201.png"
    for plot, count in zip(plots, (200, 201), strict=True):
        result = inkling_here("predict", *[files[0]] * count, "--plot", plot)
        assert (result.returncode, result.stdout.count("\n")) == (0, count)
    assert result.stderr == f"warning: {plots[1]} shows only the first 200 images\n"
    assert plots[0].read_bytes() == plots[1].read_bytes()


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_plot_that_cannot_be_written_is_an_error_before_anything_is_read(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path, command: str
) -> None:
    nowhere = tmp_path / "nowhere"
    words = f"{nowhere} is not a folder: --plot cannot be written there"
    check_error(inkling_here(command, files[0], "--plot", nowhere / "plot.png"), 1, words)
    check_error(inkling_here(command, files[0], "--plot", tmp_path), 1, f"{tmp_path} is a folder")
