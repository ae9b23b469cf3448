"""The README's section "From Python": its code is run."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

SHOW = """
import json
print(json.dumps([
    answer.digits, answer.probabilities.shape, explanation.digit, explanation.contributions.shape, versions
]))
"""


def test_code_from_python_runs_in_a_fresh_interpreter(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## From Python\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "docs").symlink_to(ROOT / "docs")

    result = subprocess.run(
        [sys.executable, "-c", code + SHOW], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout.splitlines()[-1]) == [[7], [1, 10], 7, [28, 28], []]
