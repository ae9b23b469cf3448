"""The notebook: runs its code cells one after another in this process, and keeps what they print.

`python -m tests.support.notebook` runs docs/notebook.ipynb and writes the printed lines into it.
"""

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def run_notebook(notebook: dict[str, Any], changes: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Run the code cells of a notebook, and return what each printed.

    Args:
        notebook: as JSON, of format 4.
        changes: texts of the code, each of which must occur, by their replacements.
    """
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for old, new in changes.items():
        assert any(old in cell for cell in cells), old
        cells = [cell.replace(old, new) for cell in cells]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for number, cell in enumerate(cells, 1):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(cell, f"cell {number}", "exec"), namespace)  # noqa: S102  the notebook's own code
        printed.append(out.getvalue())
    return printed


def main() -> None:
    """Run the notebook, and write its outputs into the file."""
    notebook = json.loads(NOTEBOOK.read_text())
    outputs = iter(run_notebook(notebook))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        text = next(outputs)
        cell["execution_count"] = number
        cell["outputs"] = (
            [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []
        )
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
