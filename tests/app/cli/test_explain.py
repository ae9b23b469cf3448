import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkling.network.checkpoint import Checkpoint
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.services import retrained


def test_explain_draws_a_heat_map_of_the_digit(files: list[Path], tmp_path: Path) -> None:
    plot = tmp_path / "why.picture"
    result = inkling("explain", files[5], "--plot", plot)
    assert (result.returncode, result.stderr) == (0, "")
    prediction, logits = result.stdout.splitlines()
    assert inkling("predict", files[5]).stdout == f"{prediction}\n"
    number = r"-?\d+\.\d\d"
    match = re.fullmatch(rf"the strokes move the logit of 5 by [+]?({number}), from ({number}) to ({number})", logits)
    assert match
    assert float(match[1]) == pytest.approx(float(match[3]) - float(match[2]), abs=0.011)
    with Image.open(plot) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
    assert not (tmp_path / "var").exists()  # explaining creates no registry


def test_explain_draws_a_chosen_digit_by_a_chosen_checkpoint(
    inkling_here: InklingHere, files: list[Path], shipped: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "other.safetensors").write_bytes(retrained(shipped, 2).content)
    pictures = []
    for arguments in ([], ["--digit", "3"], ["--checkpoint", tmp_path / "other.safetensors", "--digit", "3"]):
        result = inkling_here("explain", files[5], "--plot", tmp_path / "why.png", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert ("the logit of 3" in result.stdout) == bool(arguments)
        pictures.append((tmp_path / "why.png").read_bytes())
    assert len(set(pictures)) == 3


def test_explain_reads_any_picture_with_fit_mnist(
    inkling_here: InklingHere, tmp_path: Path, digits: NDArray[np.uint8]
) -> None:
    file, plot = tmp_path / "faint.png", tmp_path / "why.png"
    Image.fromarray((np.pad(digits[7], 20) // 12).astype(np.uint8)).save(file)
    result = inkling_here("explain", file, "--fit", "mnist", "--plot", plot)
    assert result.returncode == 0
    assert result.stderr.startswith(f"warning: {file}: the contrast is ")
    assert plot.is_file()


@pytest.mark.parametrize(
    ("name", "words"), [("none.png", "No such file"), ("text.png", "text.png (12 bytes) is not an image")]
)
def test_explain_names_the_file_that_it_cannot_read(
    inkling_here: InklingHere, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    check_error(inkling_here("explain", tmp_path / name, "--plot", tmp_path / "why.png"), 1, name, words)
    assert not (tmp_path / "why.png").exists()
