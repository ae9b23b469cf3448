"""The threads of BLAS in the processes of the service and of trainers: one, unless the user has chosen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inkling.blas_threads import BLAS_THREADS
from inkling.cpus import count_cpus
from tests.support.servers import start_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")

COUNT = "import app.main, numpy, os; print(len(os.listdir('/proc/self/task')))"


def threads_after(program: str, **environment: str) -> int:
    """Return the threads of a new process after a program, whose last line of output is their number."""
    inherited = {name: value for name, value in os.environ.items() if name not in BLAS_THREADS}
    run = subprocess.run(
        [sys.executable, "-c", program], env={**inherited, **environment}, capture_output=True, text=True, check=True
    )
    return int(run.stdout.split()[-1])


@pytest.mark.unmeasured
def test_application_has_one_blas_thread_whichever_program_imports_it() -> None:
    assert threads_after(COUNT) == 1
    for program in ("import uvicorn, app.main", "from app.main import create_configured_app", "import app.cli.serve"):
        assert threads_after(f"{program}; {COUNT}") == 1


@pytest.mark.unmeasured
def test_trainer_has_one_blas_thread() -> None:
    assert threads_after("import training.digit_probe, os; print(len(os.listdir('/proc/self/task')))") == 1


@pytest.mark.unmeasured
@pytest.mark.skipif(count_cpus() < 2, reason="BLAS starts no more threads than there are CPU cores")
@pytest.mark.parametrize("variable", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_choice_of_the_user_counts(variable: str) -> None:
    assert threads_after(COUNT, **{variable: "2"}) == 2


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_every_process_of_a_server_inherits_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    for name in BLAS_THREADS:
        monkeypatch.delenv(name, raising=False)
    with start_server(tmp_path / "data", "--trainer", "external", *arguments) as server:
        tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
        children = [pid for file in tasks for pid in file.read_text().split()]
        assert children
        for pid in children:
            assert "OPENBLAS_NUM_THREADS=1" in Path(f"/proc/{pid}/environ").read_text().split("\0")
