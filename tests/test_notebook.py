"""docs/notebook.ipynb: its cells run, from the tutorial's code to a service that is rolled back."""

import json
from pathlib import Path

import pytest

from tests.support.notebook import NOTEBOOK, run_notebook
from tests.support.ports import free_port

pytestmark = pytest.mark.unmeasured


def test_notebook_runs_from_the_tutorial_to_a_rollback(small_mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_MNIST_DIR", str(small_mnist_dir))
    changes = {
        "training_steps, batch_size, display_step = 0.001, 3000, 256, 500": (
            "training_steps, batch_size, display_step = 0.001, 40, 256, 20"
        ),
        "hold_out(5000)": "hold_out(200)",
        "validation_size=5000": "validation_size=200",
        "8765": str(free_port()),
    }

    printed = run_notebook(json.loads(NOTEBOOK.read_text()), changes)

    assert printed[1] == "1800 to train on, 200 held out, 500 to test with\n"
    assert [line.split(",")[0] for line in printed[2].splitlines()[:2]] == ["step: 20", "step: 40"]
    assert printed[5].startswith("201 /versions/2\n2 0.")
    assert [line.split()[1] for line in printed[6].splitlines()] == ["1", "2"]
    assert [line.split()[0] for line in printed[7].splitlines()] == ["1", "2", "1"]
