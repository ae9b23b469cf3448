"""Images that are read without a word though they are not MNIST's kind, and damaged files."""

import io
from collections.abc import Callable

import numpy as np
import orjson
import pillow_heif
from PIL import Image

from benchmarks.digits import make_digits
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import FIT, JSON, RAW, STRICT
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import Answer, post
from inkling.digit import Gray, Images

EXIF_ORIENTATION = 0x0112
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF", "HEIF")


def _black_on_white(image: Gray) -> tuple[bytes, str]:
    return _saved(Image.fromarray(255 - image)), "image/png"


def _on_transparency(image: Gray) -> tuple[bytes, str]:
    pixels = np.zeros((28, 28, 4), np.uint8)
    pixels[..., 3] = image
    return _saved(Image.fromarray(pixels)), "image/png"


def _zeros_and_ones(image: Gray) -> tuple[bytes, str]:
    return orjson.dumps({"images": [(image > 127).astype(int).tolist()]}), JSON


def _sixteen_bits_of_eight(image: Gray) -> tuple[bytes, str]:
    return _saved(Image.fromarray(image.astype(np.uint16))), "image/png"


def _on_its_side(image: Gray) -> tuple[bytes, str]:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    made = io.BytesIO()
    Image.fromarray(np.rot90(image).copy()).save(made, "JPEG", quality=95, exif=exif)
    return made.getvalue(), "image/jpeg"


KINDS: dict[str, Callable[[Gray], tuple[bytes, str]]] = {
    "black on white": _black_on_white,
    "dark on transparency": _on_transparency,
    "values 0 and 1": _zeros_and_ones,
    "16 bits that hold 8": _sixteen_bits_of_eight,
    "on its side by EXIF": _on_its_side,
}


def _saved(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


def _not_mnist(arena: Arena) -> Measured:
    """Send digits that the plain call cannot read as they are: right, refused, or with a warning."""
    images, _ = make_digits(arena.count(40, 10), arena.seed)
    silent: dict[str, int] = {}
    with arena.server() as server:
        plain = [_digit(post(server, STRICT, image.tobytes(), RAW)) for image in images]
        for kind, make in KINDS.items():
            answers = [post(server, STRICT, *make(image)) for image in images]
            silent[kind] = sum(
                found.status == 200 and not _warnings(found) and _digit(found) != digit
                for found, digit in zip(answers, plain, strict=True)
            )
    return Measured(
        f"{len(images)} digits in {len(KINDS)} forms that are not MNIST's",
        "silently wrong: " + ", ".join(f"{count} of {len(images)} {kind}" for kind, count in silent.items()),
        not any(silent.values()),
    )


def _digit(answer: Answer) -> int | None:
    return int(orjson.loads(answer.body)["predictions"][0]["digit"]) if answer.status == 200 else None


def _warnings(answer: Answer) -> list[str]:
    found: list[str] = orjson.loads(answer.body)["predictions"][0].get("warnings") or []
    return found


def _mutations(arena: Arena) -> Measured:
    """Truncate and garble image files of all formats."""
    random = arena.random("mutations")
    image = make_digits(1, arena.seed)[0][0]
    pillow_heif.register_heif_opener()
    files = [_in_format(image, name) for name in FORMATS]
    count = arena.count(1_500, 200)
    bad: list[int] = []
    refused = 0
    with arena.server() as server:
        for i in range(count):
            content, kind = files[i % len(files)]
            changed = bytearray(content)
            if random.random() < 0.3:
                del changed[random.randrange(len(changed)) :]
            for _ in range(random.randint(1, 6)):
                if changed:
                    changed[random.randrange(len(changed))] = random.randrange(256)
            found = post(server, random.choice((STRICT, FIT)), bytes(changed), kind)
            refused += 400 <= found.status < 500
            bad += [found.status] if found.status != 200 and not 400 <= found.status < 500 else []
        fits = server.fits()
    return Measured(
        f"{count:,} truncated and garbled image files of {len(FORMATS)} formats",
        f"{refused:,} refused, {count - refused - len(bad):,} read, {len(bad)} errors of the server",
        fits and not bad,
    )


def _in_format(image: Gray, name: str) -> tuple[bytes, str]:
    made = io.BytesIO()
    Image.fromarray(image).save(made, name)
    return made.getvalue(), f"image/{name.lower()}"


def _same_bits(arena: Arena) -> Measured:
    """Send the same images alone, in batches and in other formats: the same answer each time."""
    images, _ = make_digits(arena.count(200, 50), arena.seed)
    with arena.server() as server:
        batch = _probabilities(server, images)
        alone = [_probabilities(server, image[None])[0] for image in images]
    differing = sum(one != many for one, many in zip(alone, batch, strict=True))
    return Measured(
        f"{len(images)} images alone and in one batch", f"{differing} differ in the probabilities", not differing
    )


def _probabilities(server: Server, images: Images) -> list[list[float]]:
    answer = orjson.loads(post(server, STRICT, images.tobytes(), RAW).body)
    return [[round(value, 6) for value in each["probabilities"]] for each in answer["predictions"]]


ATTACKS = (
    Attack("not-mnist", "Images that are not like MNIST's", "right, refused, or a warning", _not_mnist),
    Attack("mutated-images", "Damaged image files", "200 or 4xx", _mutations),
    Attack("same-image", "The same image in other company", "the same probabilities", _same_bits),
)
