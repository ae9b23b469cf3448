import subprocess
import sys
from pathlib import Path

import pytest

from inkling.blas_kernels import AVX512_FLAGS, AVX512_KERNELS, VARIABLE, choose_blas_kernels

FLAGS = " ".join(sorted(AVX512_FLAGS))
ZEN_4 = f"processor : 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu fma avx2 {FLAGS}\n\nprocessor : 1\n"


@pytest.fixture
def _before_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")


def chosen(tmp_path: Path, cpuinfo: str, **environment: str) -> dict[str, str]:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    choose_blas_kernels(environment, tmp_path / "cpuinfo")
    return environment


@pytest.mark.usefixtures("_before_numpy")
def test_amd_processor_with_avx_512_gets_its_kernels(tmp_path: Path) -> None:
    assert chosen(tmp_path, ZEN_4) == {VARIABLE: AVX512_KERNELS}


@pytest.mark.usefixtures("_before_numpy")
@pytest.mark.parametrize(
    "cpuinfo",
    [
        ZEN_4.replace("AuthenticAMD", "GenuineIntel"),
        *(ZEN_4.replace(flag, "") for flag in sorted(AVX512_FLAGS)),
        "CPU implementer : 0x41\nFeatures : fp asimd\n",
        "",
    ],
)
def test_others_keep_what_openblas_chooses(tmp_path: Path, cpuinfo: str) -> None:
    assert chosen(tmp_path, cpuinfo) == {}


@pytest.mark.usefixtures("_before_numpy")
def test_choice_of_the_user_stays(tmp_path: Path) -> None:
    assert chosen(tmp_path, ZEN_4, **{VARIABLE: "Haswell"}) == {VARIABLE: "Haswell"}


def test_nothing_is_chosen_once_numpy_is_imported(tmp_path: Path) -> None:
    assert "numpy" in sys.modules
    assert chosen(tmp_path, ZEN_4) == {}


@pytest.mark.usefixtures("_before_numpy")
def test_machine_without_the_file_keeps_its_kernels(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    choose_blas_kernels(environment, tmp_path / "none")
    assert environment == {}


def test_library_chooses_before_it_imports_numpy() -> None:
    program = f"import inkling, sys; assert 'numpy' not in sys.modules; import os; print(os.environ.get({VARIABLE!r}))"
    environment = {"PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    expected: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "numpy")
        choose_blas_kernels(expected)
    assert run.stdout.strip() == str(expected.get(VARIABLE))
