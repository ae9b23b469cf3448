"""Pillow's decoders: files opened by the format that their header names, and pictures put together from their tiles.

One thread decodes: the processes that read pictures for the service are as many as there are cores.
"""

import io
from functools import cache

from PIL import Image

from inkling.errors import UnreadError
from inkling.vision.formats.image_header import ImageHeader, Mosaic


def open_file(header: ImageHeader) -> Image.Image:
    """Return the picture of an image file: not decoded yet, unless it is put together from tiles.

    Raises:
        UnreadError: a package is missing that this format needs.
        ValueError: it has another size than its header claims.
        Exception: Pillow's decoders raise many kinds for damaged files.
    """
    if header.mosaic:
        return _assemble(header, header.mosaic)
    image = _open(header.content, header.file_format)
    if image.size != (header.width, header.height):
        raise ValueError("it claims two sizes")
    return image


def _open(content: bytes, file_format: str) -> Image.Image:
    if file_format in _PREPARATIONS:
        _PREPARATIONS[file_format]()
    return Image.open(io.BytesIO(content), formats=(file_format,))


def _assemble(header: ImageHeader, mosaic: Mosaic) -> Image.Image:
    """Decode the tiles of a picture onto a canvas of gray levels, with their opacity if they have one."""
    canvas = Image.new("L" if mosaic.is_opaque else "LA", (header.width, header.height))
    width, height = mosaic.tile_size
    for number, content in enumerate(mosaic.tiles()):
        row, column = divmod(number, mosaic.columns)
        with _open(content, header.file_format) as tile:
            if tile.size != mosaic.tile_size:
                raise ValueError("its tiles have another size than they claim")
            corner = (column * width - mosaic.corner[0], row * height - mosaic.corner[1])
            canvas.paste(tile.convert(canvas.mode), corner)
    return canvas


@cache
def _prepare_avif() -> None:
    """Have Pillow decode AVIF in one thread.

    Raises:
        UnreadError: it was built without libavif.
    """
    from PIL import AvifImagePlugin  # noqa: PLC0415  3 MB that other formats need not

    if not AvifImagePlugin.SUPPORTED:
        raise UnreadError("it is an AVIF image, and this Pillow was built without libavif; install Pillow's own wheel")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


@cache
def _prepare_heif() -> None:
    """Teach Pillow to read HEIC: the first such file costs 14 ms and 5 MB more.

    Raises:
        UnreadError: pillow-heif is not installed.
    """
    try:
        import pillow_heif  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UnreadError(
            "it is a HEIC image, and pillow-heif is not installed; install the extra `heif` "
            "(pip install 'inkling-digits[heif]'), or send it as JPEG or PNG"
        ) from error
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


_PREPARATIONS = {"AVIF": _prepare_avif, "HEIF": _prepare_heif}
