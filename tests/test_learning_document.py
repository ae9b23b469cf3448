"""docs/learning.md: its lines run."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.servers import start_server

ROOT = Path(__file__).parent.parent


def test_every_line_works(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    calls, commands, training = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/learning.md").read_text(), re.DOTALL)
    with start_server(tmp_path / "var", "--trainer", "external", "--feedback", "on") as server:
        at_server = ("localhost:8000", server.url.removeprefix("http://"))
        outputs = _run(calls.replace(*at_server), tmp_path)
        assert '{"deleted":0}' in outputs
        _run(commands, tmp_path)
        assert '"base":1' in _run(training.replace(*at_server), tmp_path)
    assert [path.name for path in (tmp_path / "corrections").rglob("*.png")] == ["2.png"]


def _run(code: str, folder: Path) -> str:
    code = f'inkling() {{ "{sys.executable}" -m app.cli "$@"; }}\n{code.replace("curl ", "curl -sS --fail-with-body ")}'
    ended = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
