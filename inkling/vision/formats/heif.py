"""HEIC and AVIF files: HEVC or AV1 pictures, whole or in tiles, in the items of a HEIF file (ISO/IEC 23008-12).

Libheif and libavif never see the file. They see one that is rewritten from what its pixels need (heif_file.py), once
the size that the file claims has been compared with that of its coded pictures.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from inkling.errors import UnreadError
from inkling.file_kinds import HEIF_BRANDS, HEIF_SEQUENCE_BRANDS, file_brands
from inkling.vision.formats import av1, hevc
from inkling.vision.formats.heif_file import Coded, write_file
from inkling.vision.formats.heif_items import HeifItems, Property
from inkling.vision.formats.heif_transforms import Transforms, read_transforms
from inkling.vision.formats.image_header import ImageHeader, Mosaic

MAX_TILES = 1_024
"""A photograph of 40 megapixels in tiles of 512x512 has 160."""
MARGIN = 64
"""A coded picture is larger than the one that is shown by less than a coding block."""
PIXEL_BYTES, OPACITY_BYTES, PLANE_FACTOR = 6, 1, 1.5
"""Memory per pixel of a decoder: of colors and Pillow's image; of opacity; and this many times that of its planes.

Measured with 8 and 10 bits, 4:0:0 to 4:4:4, with and without opacity, in libheif 1.23 and libavif 1.4.
"""

_FORMATS = {b"hvc1": "HEIF", b"av01": "AVIF"}
_CONFIGURATIONS = {b"hvc1": b"hvcC", b"av01": b"av1C"}
_CODECS = {b"hvc1": hevc, b"av01": av1}
_KEPT = frozenset({b"hvcC", b"av1C", b"ispe", b"pixi"})
_OPACITY = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
_IS_OPACITY = Property(b"auxC", bytes(4) + _OPACITY[0], is_essential=True)
"""Of the plane of opacity as a whole, and so of each of its tiles."""
_EXPECTED = "it is coded as '{}', expected HEVC ('hvc1') or AV1 ('av01'); save it as PNG or JPEG"
_SIZE_BYTES = 64 << 10
_MAX_SIZES = 256


def is_heif(content: bytes) -> bool:
    """Return whether a file holds pictures by its brands, not a video or music in boxes of the same kind."""
    return not HEIF_BRANDS.isdisjoint(file_brands(content))


def heif_size(content: bytes) -> tuple[int, int]:
    """Return the largest width and height that a file claims for one of its pictures, (0, 0) if none is found."""
    sizes, position = [(0, 0)], content.find(b"ispe", 0, _SIZE_BYTES)
    while 0 <= position <= len(content) - 16 and len(sizes) < _MAX_SIZES:
        sizes.append(struct.unpack_from(">II", content, position + 8))
        position = content.find(b"ispe", position + 16, _SIZE_BYTES)
    return max(sizes, key=lambda size: size[0] * size[1])


def seems_tiled(content: bytes) -> bool:
    """Return whether a file seems to hold its picture in tiles, for an estimate of its memory."""
    return content.find(b"grid", 0, _SIZE_BYTES) >= 0


def read_heif(content: bytes) -> ImageHeader:
    """Return the header, and the file of its primary picture alone, or its tiles.

    Raises:
        UnreadError: it is an animation, or coded in another way.
        ValueError: it is damaged, or its picture is larger than it claims.
        struct.error, IndexError: it ends in its header.
    """
    if content[8:12] in HEIF_SEQUENCE_BRANDS:
        raise UnreadError("it is an animation (an image sequence); send one of its pictures as PNG, JPEG or AVIF")
    items = HeifItems(content)
    picture = _read_picture(items, items.primary)
    transforms = read_transforms(items.properties(items.primary), picture.width, picture.height)
    file_format = _FORMATS[items.kind(picture.tiles[0].color)]
    coded_bytes = _coded_bytes(items, picture)
    if len(picture.tiles) == 1 and (transforms.width, transforms.height) == picture.tile_size:
        (content,) = _write_tiles(items, picture)
        return ImageHeader(
            file_format, transforms.width, transforms.height, coded_bytes, content, transforms.orientation
        )
    is_opaque = all(tile.opacity is None for tile in picture.tiles)
    canvas_bytes = transforms.width * transforms.height * (1 if is_opaque else 4)
    mosaic = Mosaic(
        picture.columns, picture.tile_size, transforms.corner, is_opaque, lambda: _write_tiles(items, picture)
    )
    return ImageHeader(
        file_format,
        transforms.width,
        transforms.height,
        coded_bytes + canvas_bytes,
        b"",
        transforms.orientation,
        mosaic,
    )


class _Tile(NamedTuple):
    """The items of a tile."""

    color: int
    opacity: int | None


@dataclass(frozen=True)
class _Picture:
    width: int
    height: int
    columns: int
    tile_size: tuple[int, int]
    tiles: list[_Tile]


def _read_picture(items: HeifItems, item: int) -> _Picture:
    """Return the size and the tiles of a picture; one that is whole has one tile."""
    columns, width, height, parts = _read_parts(items, item)
    opacities = _opacities(items, item, columns, parts)
    tile_size = _claimed_size(items, parts[0])
    for part in parts:
        if part != item and read_transforms(items.properties(part), *tile_size) != Transforms((0, 0), *tile_size, 1):
            raise UnreadError("its tiles are turned; save it as PNG or JPEG")
        if items.kind(part) != items.kind(parts[0]) or _claimed_size(items, part) != tile_size:
            raise ValueError("its tiles differ in size or coding")
    rows = len(parts) // columns
    covered = (columns * tile_size[0], rows * tile_size[1])
    if not (0 <= covered[0] - width < tile_size[0] and 0 <= covered[1] - height < tile_size[1]):
        raise ValueError(f"it claims {width}x{height} pixels, its tiles {covered[0]}x{covered[1]}")
    tiles = [_Tile(color, opacity) for color, opacity in zip(parts, opacities, strict=True)]
    return _Picture(width, height, columns, tile_size, tiles)


def _read_parts(items: HeifItems, item: int) -> tuple[int, int, int, list[int]]:
    """Return the columns, the width and height, and the coded items of a picture, row by row."""
    kind = items.kind(item)
    if kind in _FORMATS:
        return 1, *_claimed_size(items, item), [item]
    if kind != b"grid":
        raise UnreadError(_EXPECTED.format(kind.decode("latin-1")))
    grid = items.data(item)
    rows, columns = grid[2] + 1, grid[3] + 1
    width, height = struct.unpack_from(">II" if grid[1] & 1 else ">HH", grid, 4)
    parts = items.references(b"dimg", item)
    if len(parts) != rows * columns or len(parts) > MAX_TILES:
        raise ValueError(f"it has {len(parts)} tiles, expected {rows * columns}; the limit is {MAX_TILES}")
    for part in parts:
        _coding(items, part)
    return columns, width, height, parts


def _opacities(items: HeifItems, item: int, columns: int, parts: list[int]) -> Sequence[int | None]:
    """Return the item with the opacity of each part; it belongs to the parts, or to the picture as a whole."""
    own = [_opacity(items, part) for part in parts]
    of_all = _opacity(items, item)
    if of_all is None or own[0] is not None:
        return own
    opacity_columns, _, _, opacities = _read_parts(items, of_all)
    if (opacity_columns, len(opacities)) != (columns, len(parts)):
        raise UnreadError("its opacity has other tiles than its colors; save it as PNG")
    return opacities


def _opacity(items: HeifItems, item: int) -> int | None:
    for auxiliary in items.referring(b"auxl", item):
        for prop in items.properties(auxiliary):
            if prop.kind == b"auxC" and prop.payload[4:].startswith(_OPACITY):
                return auxiliary
    return None


def _property(items: HeifItems, item: int, kind: bytes) -> bytes:
    for prop in items.properties(item):
        if prop.kind == kind:
            return prop.payload
    raise ValueError(f"its item {item} lacks the property {kind.decode()!r}")


def _claimed_size(items: HeifItems, item: int) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", _property(items, item, b"ispe"), 4)
    return width, height


def _coded_bytes(items: HeifItems, picture: _Picture) -> int:
    """Return the memory that decoding a tile takes."""
    color, opacity = picture.tiles[0]
    coded = [color] if opacity is None else [color, opacity]
    planes = sum(_CODECS[_coding(items, item)].sample_bytes(_configuration(items, item)) for item in coded)
    width, height = picture.tile_size
    return int(width * height * (PIXEL_BYTES + OPACITY_BYTES * (len(coded) - 1) + PLANE_FACTOR * planes))


def _configuration(items: HeifItems, item: int) -> bytes:
    return _property(items, item, _CONFIGURATIONS[items.kind(item)])


def _write_tiles(items: HeifItems, picture: _Picture) -> Iterator[bytes]:
    shared = [prop for prop in items.properties(items.primary) if _is_code_points(prop)]
    for tile in picture.tiles:
        color = _coded(items, tile.color, picture.tile_size, shared)
        opacity = None if tile.opacity is None else _coded(items, tile.opacity, picture.tile_size)
        yield write_file(color, opacity and opacity._replace(properties=[*opacity.properties, _IS_OPACITY]))


def _coded(items: HeifItems, item: int, size: tuple[int, int], shared: Sequence[Property] = ()) -> Coded:
    """Return the coded picture of an item, checked against the size that the file claims for it.

    Raises:
        ValueError: it differs: decoding it may take more than was measured.
    """
    kind, data = _coding(items, item), items.data(item)
    width, height = _CODECS[kind].largest_size(_configuration(items, item), data)
    if not (0 <= width - size[0] < MARGIN and 0 <= height - size[1] < MARGIN):
        raise ValueError(f"it claims {size[0]}x{size[1]} pixels, its coded picture {width}x{height}")
    properties = [prop for prop in items.properties(item) if prop.kind in _KEPT]
    colors = [prop for prop in items.properties(item) if _is_code_points(prop)] or shared
    return Coded(kind, [*properties, *colors], data)


def _coding(items: HeifItems, item: int) -> bytes:
    kind = items.kind(item)
    if kind not in _FORMATS:
        raise UnreadError(_EXPECTED.format(kind.decode("latin-1")))
    return kind


def _is_code_points(prop: Property) -> bool:
    """Return whether a property says how the planes become colors; the other kind is a color profile."""
    return prop.kind == b"colr" and prop.payload.startswith(b"nclx")
