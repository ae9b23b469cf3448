"""Programs that read images with exports, each with the format's own runtime, as the README in the export says."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open

Answer = tuple[NDArray[np.float32], NDArray[np.integer]]
"""Scores (n, 10) and digits (n,)."""


def read_with(format_name: str, file: Path, images: NDArray[np.uint8]) -> Answer:
    """Read images (n, 784) with an export; skip the test if its runtime is not installed, except in CI."""
    return READERS[format_name](file, images)


DOCUMENT = (Path(__file__).parents[2] / "docs/exports.md").read_text()


class Documented(NamedTuple):
    """The figures of docs/exports.md, of the network that ships."""

    size_kb: int
    difference: float


def documented(format_name: str, weights: str) -> Documented:
    """Return the documented figures of a format."""
    found = re.search(rf"^\| {format_name} \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert found
    cells = found[1].split(" | ")
    size, difference = cells[:2] if weights == "f32" else cells[2:]
    return Documented(int(size), float(difference))


def export_metadata(format_name: str, file: Path) -> dict[str, Any]:
    """Return the metadata inside of an export."""
    metadata: dict[str, Any] = json.loads(_METADATA[format_name](file))
    return metadata


def export_readme(format_name: str, file: Path) -> str:
    """Return the README inside of an export."""
    return _READMES[format_name](file)


def program(*names: str) -> str:
    """Return the path of the first of these programs that is installed; skip the test if there is none, but in CI."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {names[0]}")
    return found


def compile_c(header: Path, *options: str) -> Path:
    """Return the program that the C export makes; every warning is an error."""
    made = header.with_suffix(".program")
    command = [program("cc", "gcc"), "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-DINKLING_MAIN", *options]
    subprocess.run([*command, "-x", "c", str(header), "-lm", "-o", str(made)], check=True, capture_output=True)
    return made


def _read_onnx(file: Path, images: NDArray[np.uint8]) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    scores, digits = session.run(["scores", "digits"], {"images": images})
    return scores, digits


def _read_c(file: Path, images: NDArray[np.uint8]) -> Answer:
    printed = subprocess.run([compile_c(file, "-std=c99")], input=images.tobytes(), capture_output=True, check=True)
    table = np.loadtxt(io.BytesIO(printed.stdout), ndmin=2)
    return table[:, 1:].astype(np.float32), table[:, 0].astype(np.int64)


def _read_js(file: Path, images: NDArray[np.uint8]) -> Answer:
    code = (
        'import { readFileSync, writeFileSync } from "node:fs";'
        f"import {{ predict }} from {json.dumps(file.as_uri())};"
        'const { scores, digits } = predict(readFileSync("images.bin"));'
        'writeFileSync("scores.bin", scores); writeFileSync("digits.bin", digits);'
    )
    (file.parent / "images.bin").write_bytes(images.tobytes())
    subprocess.run([program("node"), "--input-type=module", "-e", code], cwd=file.parent, check=True)
    scores, digits = ((file.parent / name).read_bytes() for name in ("scores.bin", "digits.bin"))
    return np.frombuffer(scores, np.float32).reshape(-1, 10), np.frombuffer(digits, np.int32)


def _read_with_numpy(format_name: str) -> Callable[[Path, NDArray[np.uint8]], Answer]:
    """Return the program that runs the code of the export's README, in a process of its own."""

    def read(file: Path, images: NDArray[np.uint8]) -> Answer:
        folder = file.parent
        (folder / "predict.py").write_text(_code(format_name, file))
        lines = [line.removeprefix("    ") for line in export_readme(format_name, file).splitlines()]
        code = "\n".join(lines[lines.index("import json") :])
        code = code.replace("np.zeros((1, 784), np.uint8)", 'np.load("images.npy")')
        np.save(folder / "images.npy", images)
        code += '\nnp.save("scores.npy", scores); np.save("digits.npy", digits)'
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        return np.load(folder / "scores.npy"), np.load(folder / "digits.npy")

    return read


def _code(format_name: str, file: Path) -> str:
    return _member(file, "predict.py") if format_name == "npz" else _safetensors_metadata(file)["predict.py"]


def _member(file: Path, name: str) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read(name).decode()


def _safetensors_metadata(file: Path) -> dict[str, str]:
    with safe_open(file, "np") as export:
        metadata: dict[str, str] = export.metadata()
        return metadata


def _onnx_model(file: Path) -> Any:
    import onnx

    return onnx.load(file)


def _comment(file: Path) -> str:
    return file.read_text().partition("/*")[2].partition("*/")[0]


def _matched(pattern: str, file: Path) -> str:
    found = re.search(pattern, file.read_text())
    assert found
    return found[1]


READERS: dict[str, Callable[[Path, NDArray[np.uint8]], Answer]] = {
    "onnx": _read_onnx,
    "c": _read_c,
    "js": _read_js,
    "npz": _read_with_numpy("npz"),
    "safetensors": _read_with_numpy("safetensors"),
}
_METADATA: dict[str, Callable[[Path], str]] = {
    "onnx": lambda file: _onnx_model(file).metadata_props[0].value,
    "c": lambda file: _matched(r"/\* Metadata: (.*) \*/", file),
    "js": lambda file: _matched(r"export const metadata = (.*);", file),
    "npz": lambda file: _member(file, "metadata.json"),
    "safetensors": lambda file: _safetensors_metadata(file)["export"],
}
_READMES: dict[str, Callable[[Path], str]] = {
    "onnx": lambda file: _onnx_model(file).doc_string,
    "c": _comment,
    "js": _comment,
    "npz": lambda file: _member(file, "README.md"),
    "safetensors": lambda file: _safetensors_metadata(file)["readme"],
}
