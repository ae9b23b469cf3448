"""HEIC and AVIF files: whole and in tiles, turned, with opacity; and those that claim what they do not hold."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from inkling.errors import ImageError, TooLargeError, UnreadError
from inkling.vision.formats import av1, hevc
from inkling.vision.formats.boxes import MAX_BOXES, box, full_box, read_boxes
from inkling.vision.formats.heif_items import MAX_ENTRIES, MAX_INDEX_BYTES, HeifItems, Property
from inkling.vision.formats.heif_transforms import read_transforms
from inkling.vision.image_files import decode_image, decode_picture
from inkling.vision.image_headers import claimed_pixels, read_header
from tests.support.bodies import image_file

SIZE = (150, 100)
FORMATS = ("AVIF", "HEIC")
DESCRIPTION, ORIENTATION = 0x010E, 0x0112


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A picture that looks different in each of the eight orientations."""
    picture = Image.new("L", SIZE, 200)
    picture.paste(30, (10, 10, 100, 40))
    picture.paste(90, (10, 40, 30, 80))
    return picture


def pixels(picture: Image.Image) -> Gray:
    return np.asarray(picture.convert("L"))


def item(content: bytes, number: int = 1) -> list[Property]:
    return HeifItems(content).properties(number)


def with_property(content: bytes, kind: bytes, payload: bytes) -> bytes:
    """Return a file whose first property of a kind holds something else of the same length."""
    start = content.index(kind) + 4
    return content[:start] + payload + content[start + len(payload) :]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_turned_by_the_properties_that_encoders_write_for_its_orientation(
    picture: Image.Image, file_format: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = decode_picture(image_file(picture, file_format, exif=exif.tobytes()))
    np.testing.assert_array_equal(turned, decode_picture(image_file(picture, "PNG", exif=exif.tobytes())))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "AVIF", "HEIC"])
def test_strict_images_are_turned(digits: Gray, file_format: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    options = {"lossless": True} if file_format == "WEBP" else {}
    image = decode_image(image_file(np.rot90(digits[2]), file_format, exif=exif.tobytes(), **options))
    np.testing.assert_array_equal(image, digits[2])


def test_tiles_are_put_together_in_the_memory_of_one(picture: Image.Image) -> None:
    large = picture.resize((1500, 1100))
    whole, tiled = image_file(large, "HEIC"), image_file(large, "HEIC", tile_size=256)
    np.testing.assert_array_equal(decode_picture(tiled), pixels(large))
    headers = read_header(whole), read_header(tiled)
    assert headers[0] is not None
    assert headers[1] is not None
    assert (headers[1].width, headers[1].height) == (1500, 1100)
    assert claimed_pixels(tiled) == 1500 * 1100
    assert headers[1].memory_bytes < headers[0].memory_bytes / 2


@pytest.mark.parametrize("file_format", FORMATS)
def test_opacity_counts(picture: Image.Image, file_format: str) -> None:
    strokes = picture.point([0] * 256)
    strokes.putalpha(picture.point([255 if level < 100 else 0 for level in range(256)]))
    gray = decode_picture(image_file(strokes, file_format))
    np.testing.assert_array_equal(gray, decode_picture(image_file(strokes)))
    assert np.ptp(gray) == 255


SIDE = 64


class Tiles:
    """A file of pictures in 2x2 tiles, of which the first is its primary one."""

    def __init__(self) -> None:
        self.kinds: list[tuple[int, bytes]] = []
        self.extents: list[tuple[int, list[tuple[int, int]]]] = []
        self.known: list[bytes] = []
        self.associations: list[bytes] = []
        self.references: list[bytes] = []
        self.data = b""

    def add(self, kind: bytes, data: bytes, properties: Sequence[tuple[bytes, bytes]]) -> int:
        number = len(self.kinds) + 1
        self.kinds.append((number, kind))
        self.extents.append((number, [(len(self.data), len(data))]))
        self.data += data
        indices = bytes(len(self.known) + i for i in range(1, len(properties) + 1))
        self.known += [box(name, payload) for name, payload in properties]
        self.associations.append(struct.pack(">HB", number, len(indices)) + indices)
        return number

    def refer(self, kind: bytes, source: int, *targets: int) -> None:
        self.references.append(box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets)))

    def add_grid(self, picture: Image.Image, file_format: str, *properties: tuple[bytes, bytes]) -> list[int]:
        """Add a picture; return the numbers of its grid and its tiles."""
        width, height = picture.size
        size = (b"ispe", struct.pack(">III", 0, width, height))
        grid = self.add(b"grid", b"\0\0\1\1" + struct.pack(">HH", width, height), [size, *properties])
        tiles = []
        for top in (0, SIDE):
            for left in (0, SIDE):
                content = image_file(picture.crop((left, top, left + SIDE, top + SIDE)), file_format)
                coded = [(prop.kind, prop.payload) for prop in item(content)]
                tiles.append(self.add(HeifItems(content).kind(1), HeifItems(content).data(1), coded))
        self.refer(b"dimg", grid, *tiles)
        return [grid, *tiles]

    def file(self) -> bytes:
        count = struct.pack(">I", len(self.associations))
        return index_of(
            entries(*self.kinds),
            locations(*self.extents),
            full_box(b"iref", *self.references),
            box(b"iprp", box(b"ipco", *self.known), full_box(b"ipma", count, *self.associations)),
            box(b"idat", self.data),
        )


ALPHA = (b"auxC", bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("is_whole", [True, False])
def test_opacity_of_tiles_counts(file_format: str, is_whole: bool) -> None:
    color = Image.new("L", (120, 100), 0)
    opacity = Image.linear_gradient("L").resize((120, 100))
    tiles = Tiles()
    grid, *colors = tiles.add_grid(color.convert("RGB"), file_format)
    if is_whole:
        tiles.refer(b"auxl", tiles.add_grid(opacity, file_format, ALPHA)[0], grid)
    else:
        for number, left, top in zip(colors, (0, SIDE, 0, SIDE), (0, 0, SIDE, SIDE), strict=True):
            content = image_file(opacity.crop((left, top, left + SIDE, top + SIDE)), file_format)
            coded = [(prop.kind, prop.payload) for prop in item(content)]
            alpha = tiles.add(HeifItems(content).kind(1), HeifItems(content).data(1), [*coded, ALPHA])
            tiles.refer(b"auxl", alpha, number)
    color.putalpha(opacity)
    np.testing.assert_array_equal(decode_picture(tiles.file()), decode_picture(image_file(color)))


def test_tiles_that_are_unlike_each_other_are_refused(picture: Image.Image) -> None:
    def refused(message: str, change: Callable[[Tiles, list[int]], object], content: Callable[[bytes], bytes]) -> None:
        tiles = Tiles()
        change(tiles, tiles.add_grid(picture.crop((0, 0, 120, 100)), "AVIF"))
        with pytest.raises(ImageError, match=message):
            decode_picture(content(tiles.file()))

    def add_whole_opacity(tiles: Tiles, numbers: list[int]) -> None:
        alpha = image_file(picture, "AVIF")
        coded = [(prop.kind, prop.payload) for prop in item(alpha)]
        tiles.refer(b"auxl", tiles.add(b"av01", HeifItems(alpha).data(1), [*coded, ALPHA]), numbers[0])

    def turn_a_tile(tiles: Tiles, numbers: list[int]) -> None:
        tiles.known.append(box(b"irot", b"\1"))
        tiles.associations.append(struct.pack(">HBB", numbers[2], 1, len(tiles.known)))

    size = struct.pack(">III", 0, SIDE, SIDE)
    refused("its opacity has other tiles than its colors", add_whole_opacity, lambda content: content)
    refused("its tiles are turned", turn_a_tile, lambda content: content)
    refused(
        "its tiles differ in size or coding",
        lambda tiles, numbers: None,
        lambda content: content.replace(size, struct.pack(">III", 0, SIDE, SIDE + 1), 1),
    )
    refused(
        "it claims 120x300 pixels, its tiles 128x128",
        lambda tiles, numbers: None,
        lambda content: content.replace(b"\0\0\1\1" + struct.pack(">HH", 120, 100), b"\0\0\1\1\0\x78\1\x2c"),
    )


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"tile_rows": 1}])
def test_planes_of_avif_are_measured(picture: Image.Image, mode: str, options: dict[str, object]) -> None:
    content = image_file(picture.convert(mode), "AVIF", **options)
    assert np.abs(decode_picture(content).astype(int) - pixels(picture)).mean() < 2
    configuration = next(prop.payload for prop in item(content) if prop.kind == b"av1C")
    expected = {"4:2:0": 1.5, "4:4:4": 3.0}.get(str(options.get("subsampling")), 3.0) if mode == "RGB" else None
    assert expected in (None, av1.sample_bytes(configuration))
    assert av1.largest_size(configuration, HeifItems(content).data(1)) == SIZE


@pytest.mark.parametrize("file_format", FORMATS)
def test_texts_and_profiles_do_not_reach_the_decoder(picture: Image.Image, file_format: str) -> None:
    exif = Image.Exif()
    exif[DESCRIPTION] = "x" * 5000
    content = image_file(picture, file_format, exif=exif.tobytes(), xmp=b"x" * 5000)
    header = read_header(content)
    assert header is not None
    assert len(content) > 5000
    assert len(header.content) < 2000
    np.testing.assert_array_equal(decode_picture(content), pixels(picture))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux lists them")
def test_decoders_start_no_crowd_of_threads(picture: Image.Image, tmp_path: Path) -> None:
    code = (
        "import os, sys; from inkling.vision.image_files import decode_picture; "
        "[decode_picture(open(name, 'rb').read()) for name in sys.argv[1:]]; print(len(os.listdir('/proc/self/task')))"
    )
    files = [tmp_path / file_format for file_format in FORMATS]
    for file in files:
        file.write_bytes(image_file(picture, file.name))
    ended = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert int(ended.stdout) <= 2


def test_heic_without_its_package_names_the_extra(picture: Image.Image) -> None:
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from inkling.vision.image_files import decode_picture\n"
        "try: decode_picture(sys.stdin.buffer.read(), name='photo.heic')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], input=image_file(picture, "HEIC"), capture_output=True, check=True
    )
    assert ended.stdout.startswith(b"UnreadError photo.heic (")
    assert b"pip install 'inkling-digits[heif]'" in ended.stdout


# files that are not read, and say why


@pytest.mark.parametrize("main_brand", [b"avis", b"msf1", b"hevc"])
def test_animation_is_refused(picture: Image.Image, main_brand: bytes) -> None:
    content = image_file(picture, "AVIF", save_all=True, append_images=[picture.point(range(255, -1, -1))])
    assert content[8:12] == b"avis"
    with pytest.raises(ImageError, match=r"cannot be read: it is an animation .* send one of its pictures"):
        decode_picture(content[:8] + main_brand + content[12:])


@pytest.mark.parametrize("kind", [b"avc1", b"jpeg", b"iovl", b"unci"])
def test_picture_of_another_coding_is_named(picture: Image.Image, kind: bytes) -> None:
    content = image_file(picture, "AVIF").replace(b"av01", kind)
    with pytest.raises(ImageError, match=rf"it is coded as '{kind.decode()}', expected HEVC \('hvc1'\) or AV1"):
        decode_picture(content)


def test_property_that_is_essential_and_not_known_is_named() -> None:
    properties = [Property(b"ispe", b"", False), Property(b"abcd", b"", False), Property(b"lsel", b"", True)]
    with pytest.raises(UnreadError, match="cannot be shown without its property 'lsel'"):
        read_transforms(properties, 10, 20)


# files that claim what they do not hold


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(("width", "height"), [(28, 28), (64, 3000), (1, 1)])
def test_coded_picture_that_is_larger_than_its_file_claims_is_refused(
    picture: Image.Image, file_format: str, width: int, height: int
) -> None:
    content = image_file(picture.resize((400, 400)), file_format)
    with pytest.raises(ImageError, match=f"it claims {width}x{height} pixels, its coded picture 400x400"):
        decode_picture(with_property(content, b"ispe", struct.pack(">III", 0, width, height)))


@pytest.mark.parametrize("file_format", FORMATS)
def test_picture_is_measured_before_it_is_decoded(picture: Image.Image, file_format: str) -> None:
    content = image_file(picture, file_format)
    with pytest.raises(TooLargeError, match="is 150x100, 15000 pixels; the limit is 1000"):
        decode_picture(content, max_pixels=1000)
    with pytest.raises(TooLargeError, match=r"takes .* bytes of memory; the limit is 10000"):
        decode_picture(content, max_decoder_bytes=10_000)
    claiming = with_property(content, b"ispe", struct.pack(">III", 0, 60_000, 50_000))
    assert claimed_pixels(claiming) == 60_000 * 50_000
    with pytest.raises(ImageError, match="it claims 60000x50000 pixels, its coded picture 15"):
        decode_picture(claiming)


def index_of(*boxes: bytes, primary: int = 1) -> bytes:
    """Return a file with an index of these boxes."""
    number = full_box(b"pitm", struct.pack(">H", primary))
    return box(b"ftyp", b"heic", bytes(4), b"mif1") + full_box(b"meta", number, *boxes)


def entries(*items: tuple[int, bytes]) -> bytes:
    infe = [full_box(b"infe", struct.pack(">HH4sx", number, 0, kind), version=2) for number, kind in items]
    return full_box(b"iinf", struct.pack(">H", len(items)), *infe)


def locations(*items: tuple[int, Sequence[tuple[int, int]]]) -> bytes:
    """Return where the bytes of items are, in the index itself."""
    parts = [
        struct.pack(">HHHH", number, 1, 0, len(extents)) + b"".join(struct.pack(">II", *extent) for extent in extents)
        for number, extents in items
    ]
    return full_box(b"iloc", b"\x44\0", struct.pack(">H", len(items)), *parts, version=1)


GRID = b"\0\0\1\1" + struct.pack(">HH", 100, 100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (box(b"ftyp", b"heic", bytes(4)), "it has no index"),
        (box(b"ftyp", b"heic", bytes(4)) + box(b"meta", bytes(MAX_INDEX_BYTES + 1)), "its index has 1048577 bytes"),
        (box(b"ftyp", b"heic", bytes(4)) + struct.pack(">I4s", 500, b"meta"), "its box 'meta' claims 500 bytes"),
        (box(b"ftyp", b"heic", bytes(4)) + struct.pack(">I4s", 7, b"meta"), "its box 'meta' claims 7 bytes"),
        (box(b"ftyp", b"heic", bytes(4)) + full_box(b"meta"), "its index lacks the box 'pitm'"),
        (index_of(), "its index lacks the box 'iinf'"),
        (index_of(entries((1, b"hvc1"))), "its index lacks the box 'iloc'"),
        (index_of(entries((2, b"hvc1")), locations()), "refers to an item 1 that it does not have"),
        (index_of(entries((1, b"hvc1")), locations()), "its item 1 lacks the property 'ispe'"),
        (index_of(entries((1, b"grid")), locations()), "its item 1 has no bytes"),
        (index_of(entries((1, b"grid")), locations((1, [(0, 99)])), box(b"idat", GRID)), "lies beyond its end"),
        (
            index_of(entries((1, b"grid")), locations((1, [(0, 0)] * 3)), box(b"idat", GRID)),
            "the parts of its item 1 overlap",
        ),
        (
            index_of(entries((1, b"grid")), locations((1, [(0, 0)])), box(b"idat", GRID)),
            "it has 0 tiles, expected 4",
        ),
        (index_of(entries(), struct.pack(">I4s", 8, b"free") * MAX_BOXES), "more than 20000 boxes"),
        (
            index_of(entries(), locations(), box(b"iprp", full_box(b"ipma", struct.pack(">I", MAX_ENTRIES + 1)))),
            "a table in its index has 20001 entries",
        ),
        (index_of(entries(), full_box(b"iloc", b"\x44\0\xff\xff")), "a table in its index has 65535 entries"),
        (index_of(entries(), full_box(b"iloc", b"\x44\0\0\1")), "it ends in its header"),
        (index_of(entries(), full_box(b"iref", box(b"dimg", b"\0\1\0\2\0\2"))), "it ends in its header"),
    ],
)
def test_damaged_index_is_refused_with_what_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_picture(content)


def test_boxes_may_have_long_sizes_or_none() -> None:
    content = struct.pack(">I4sQ", 1, b"long", 17) + b"x" + struct.pack(">I4s", 0, b"last") + b"yz"
    assert list(read_boxes(content)) == [(b"long", b"x"), (b"last", b"yz")]


@pytest.mark.parametrize("old", [lambda start: b"\0\0\0\1" + start[4:], lambda start: b"\0\0\0\2" + start[4:]])
def test_damaged_bytes_of_a_picture_are_an_error(picture: Image.Image, old: Callable[[bytes], bytes]) -> None:
    content = image_file(picture, "HEIC")
    (data,) = [HeifItems(content).data(1)]
    with pytest.raises(ImageError, match="damaged"):
        decode_picture(content.replace(data, old(data)[: len(data) // 2] + bytes(len(data) - len(data) // 2)))


# what is cut off


def cut(*terms: int) -> Property:
    return Property(b"clap", struct.pack(">IIIIiIiI", *terms), True)


def test_clean_aperture_is_a_part_of_the_picture_and_comes_before_turning() -> None:
    turn = Property(b"irot", b"\1", True)
    transforms = read_transforms([cut(80, 1, 60, 1, 10, 1, -5, 1), turn], 100, 80)
    assert transforms == ((20, 5), 80, 60, 8)
    with pytest.raises(UnreadError, match="'clap'"):
        read_transforms([turn, cut(80, 1, 60, 1, 0, 1, 0, 1)], 100, 80)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((80, 0, 60, 1, 0, 1, 0, 1), "divides by 0"),
        ((101, 1, 60, 1, 0, 1, 0, 1), "is not inside of it"),
        ((80, 1, 60, 1, 11, 1, 0, 1), "is not inside of it"),
        ((80, 1, 60, 1, 0, 1, -11, 1), "is not inside of it"),
    ],
)
def test_impossible_clean_aperture_is_refused(terms: Sequence[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_transforms([cut(*terms)], 100, 80)


def test_little_that_is_left_of_a_large_picture_is_refused() -> None:
    with pytest.raises(UnreadError, match="most of it is cut off: 28x28 of 4000x3000"):
        read_transforms([cut(28, 1, 28, 1, 0, 1, 0, 1)], 4000, 3000)


# sizes in the streams


def test_hevc_that_ends_early_or_has_too_many_units_is_refused(picture: Image.Image) -> None:
    content = image_file(picture, "HEIC")
    configuration = next(prop.payload for prop in item(content) if prop.kind == b"hvcC")
    assert hevc.largest_size(configuration, b"") >= SIZE
    with pytest.raises(IndexError):
        hevc.largest_size(configuration, b"\0\0\0\3\x42\1\1")
    with pytest.raises(ValueError, match=f"more than {hevc.MAX_UNITS} units"):
        hevc.largest_size(configuration, b"\0\0\0\3\2\1\0" * (hevc.MAX_UNITS + 1))
    with pytest.raises(ValueError, match="lacks the parameters of its picture"):
        hevc.largest_size(bytes(23), b"")


@pytest.mark.parametrize(("file_format", "limit"), [("HEIC", 1), ("AVIF", av1.MAX_FRAMES)])
def test_more_pictures_in_one_than_encoders_write_are_refused(
    picture: Image.Image, file_format: str, limit: int
) -> None:
    content = image_file(picture, file_format)
    data = HeifItems(content).data(1)
    size = hevc.largest_size if file_format == "HEIC" else av1.largest_size
    configuration = next(prop.payload for prop in item(content) if prop.kind in (b"hvcC", b"av1C"))
    assert size(configuration, data * limit) >= SIZE
    with pytest.raises(ValueError, match=rf"one of its items holds {limit + 1} (pictures|frames)"):
        size(configuration, data * (limit + 1))


def bits(text: str) -> bytes:
    """Return bytes of bits, written as 0 and 1."""
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


SIZES = "0110 0101" + f"{99:07b}" + f"{49:06b}"
"""A width of 100 and a height of 50, in 7 and 6 bits."""


@pytest.mark.parametrize(
    "head",
    [
        "000 1 1 00000",  # reduced
        "000 1 0 0 0 00000" + "0" * 12 + "00000",  # one operating point
        "000 0 0 1" + "0" * 64 + "1 00101 0" + "0" * 0,  # timing
    ],
)
def test_av1_sequences_are_read_whatever_stands_before_their_size(head: str) -> None:
    if head.startswith("000 0 0 1"):
        model = "1 00011" + "0" * 42  # delays of 4 bits
        points = "1 00001" + "0" * 12 + "01000 1 1" + "0" * 9 + "1 0000" + "0" * 12 + "00000 0 0"
        head = "000 0 0 1" + "0" * 64 + "1 00101" + model + points
    sequence = bits(head + SIZES)
    units = b"\x12\0" + bytes([0x0A, len(sequence)]) + sequence
    assert av1.largest_size(bytes(4), units) == (100, 50)
    assert av1.largest_size(bytes(4), b"\x0e\0" + bytes([len(sequence)]) + sequence) == (100, 50)
    assert av1.largest_size(bytes(4) + b"\x08" + sequence, b"") == (100, 50)


def test_av1_that_ends_early_or_has_too_many_units_is_refused() -> None:
    for data in (b"\x0a\xff", b"\x0a" + b"\xff" * 9, b"\x0a\1\0"):
        with pytest.raises(IndexError):
            av1.largest_size(bytes(4), data)
    with pytest.raises(ValueError, match="lacks the header of its picture"):
        av1.largest_size(bytes(4), b"\x12\0")
    with pytest.raises(ValueError, match=f"more than {av1.MAX_UNITS} units"):
        av1.largest_size(bytes(4), b"\x12\0" * (av1.MAX_UNITS + 1))


def test_bytes_per_pixel_are_those_of_the_planes() -> None:
    assert [av1.sample_bytes(bytes([0x81, 0, flags])) for flags in (0x10, 0x0C, 0x08, 0, 0x4C)] == [1, 1.5, 2, 3, 3]
    assert [hevc.sample_bytes(bytes(16) + bytes([chroma, depth])) for chroma, depth in ((0, 0), (1, 0), (3, 2))] == [
        1,
        1.5,
        6,
    ]


def test_file_is_as_short_as_its_pixels_need(picture: Image.Image) -> None:
    header = read_header(image_file(picture, "AVIF"))
    assert header is not None
    with Image.open(io.BytesIO(header.content), formats=["AVIF"]) as image:
        assert image.size == SIZE
