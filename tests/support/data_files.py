"""Files of many images, of every kind that is read."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from inkling.digit import Images
from inkling.mnist import idx_bytes
from inkling.vision.image_files import png_bytes

Write = Callable[[Path, Images], Path]


def idx(folder: Path, images: Images) -> Path:
    return _write(folder / "images-idx3-ubyte", idx_bytes(images))


def idx_gz(folder: Path, images: Images) -> Path:
    return _write(folder / "images-idx3-ubyte.gz", gzip.compress(idx_bytes(images)))


def npy(folder: Path, array: Any) -> Path:
    np.save(folder / "images.npy", array)
    return folder / "images.npy"


def npy_in_fortran_order(folder: Path, images: Images) -> Path:
    return npy(folder, np.asfortranarray(images))


def npy_flat(folder: Path, images: Images) -> Path:
    return npy(folder, images.reshape(len(images), 784).astype(np.float32))


def npy_in_color(folder: Path, images: Images) -> Path:
    return npy(folder, np.repeat(images[..., np.newaxis], 3, axis=3))


def tar(folder: Path, images: Images, mode: str = "w", name: str = "shard.tar") -> Path:
    with tarfile.open(folder / name, mode) as archive:  # type: ignore[call-overload]
        for i, image in enumerate(images):
            for member, content in ((f"{i:04}.png", png_bytes(image)), (f"{i:04}.cls", b"7")):
                header = tarfile.TarInfo(member)
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
    return folder / name


def tar_gz(folder: Path, images: Images) -> Path:
    return tar(folder, images, "w:gz", "shard.tgz")


def parquet(folder: Path, column: Any, name: str = "image", **options: Any) -> Path:
    table = pa.table({"label": pa.array(range(len(column))).cast(pa.string()), name: column})
    pq.write_table(table, folder / "images.parquet", **options)
    return folder / "images.parquet"


def parquet_of_pixels(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array([image.tobytes() for image in images], pa.binary()), row_group_size=7)


def parquet_of_fixed_binary(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array([image.tobytes() for image in images], pa.binary(784)))


def parquet_of_large_binary(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array([image.tobytes() for image in images], pa.large_binary()))


def parquet_of_files(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array([png_bytes(image) for image in images]))


def parquet_of_structs(folder: Path, images: Images) -> Path:
    """As Hugging Face's datasets store images."""
    return parquet(
        folder, pa.array([{"bytes": png_bytes(image), "path": f"{i}.png"} for i, image in enumerate(images)])
    )


def parquet_of_lists(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array([image.ravel().tolist() for image in images], pa.list_(pa.uint8())), "pixels")


def parquet_of_fixed_lists(folder: Path, images: Images) -> Path:
    values = pa.array(images.ravel().astype(np.int64))
    return parquet(folder, pa.FixedSizeListArray.from_arrays(values, 784), "pixels")


def parquet_of_rows(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.array(images.tolist(), pa.list_(pa.list_(pa.uint8()))), "pixels")


def parquet_of_tensors(folder: Path, images: Images) -> Path:
    return parquet(folder, pa.FixedShapeTensorArray.from_numpy_ndarray(images))


WRITERS: tuple[Write, ...] = (
    *(idx, idx_gz, npy, npy_in_fortran_order, npy_flat, npy_in_color, tar, tar_gz),
    *(parquet_of_pixels, parquet_of_fixed_binary, parquet_of_large_binary, parquet_of_files, parquet_of_structs),
    *(parquet_of_lists, parquet_of_fixed_lists, parquet_of_rows, parquet_of_tensors),
)
"""Each writes images (n, 28, 28) as one file in a folder."""


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
