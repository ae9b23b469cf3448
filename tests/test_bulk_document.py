"""docs/bulk.md: its lines run."""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent


def test_every_line_writes_the_ten_digits(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (code,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/bulk.md").read_text(), re.DOTALL)
    code = f'inkling() {{ "{sys.executable}" -m app.cli "$@"; }}\n{code}'
    ended = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert pq.read_table(tmp_path / "digits.parquet")["digit"].to_pylist() == list(range(10))
    for name, lines in (("digits.csv", 11), ("digits.jsonl", 10)):
        assert len((tmp_path / name).read_text().splitlines()) == lines
