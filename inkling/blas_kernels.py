"""The kernels of OpenBLAS, with which NumPy multiplies matrices. They are chosen when NumPy is imported.

OpenBLAS takes its AVX2 kernels on every AMD processor, also on those with AVX-512 (Zen 4 and newer). Its AVX-512
kernels are faster there. And they add the terms of a product in the same order for any number of
rows, so an image gets the same bits alone and in a batch; with the AVX2 kernels the last digits differ.
"""

import os
import sys
from collections.abc import MutableMapping
from itertools import takewhile
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
"""Names the kernels; documented at https://github.com/OpenMathLib/OpenBLAS#support-for-multiple-targets-in-a-single-library."""
AVX512_KERNELS = "SkylakeX"
AVX512_FLAGS = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""The instructions that these kernels need, as OpenBLAS itself asks of Intel's."""
CPUINFO = Path("/proc/cpuinfo")


def choose_blas_kernels(environment: MutableMapping[str, str] = os.environ, cpuinfo: Path = CPUINFO) -> None:
    """Name the AVX-512 kernels in the environment, on an AMD processor that has the instructions.

    A choice of the user stays. Once NumPy is imported, nothing is changed: the environment would say what is not so.
    """
    if VARIABLE in environment or "numpy" in sys.modules:
        return
    try:
        with cpuinfo.open() as file:
            lines = [line.partition(":") for line in takewhile(str.strip, file)]  # of the first core
    except OSError:
        return  # no Linux
    core = {name.strip(): value.strip() for name, _, value in lines}
    if core.get("vendor_id") == "AuthenticAMD" and set(core.get("flags", "").split()) >= AVX512_FLAGS:
        environment[VARIABLE] = AVX512_KERNELS
