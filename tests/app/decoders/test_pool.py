"""Real decoder processes: pictures in, images out; killed by their limits, by the kernel, and by clients that leave."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.decoders.pool import DecoderPool
from app.decoders.process import DecoderProcess
from app.decoders.shares import BATCH_PICTURES
from app.decoders.work import Picture, PictureFile, estimate_bytes, estimate_seconds
from app.errors import OverloadedError
from inkling.digit import Gray
from inkling.errors import ImageError, ImageSizeError, InputError, NoDigitError, TooLargeError
from inkling.vision.image_files import PictureLimits
from inkling.vision.normalization import Normalized
from inkling.vision.normalize import normalize
from tests.support.bodies import image_file, png_claiming
from tests.support.pictures import draw_strokes, photograph, put

pytestmark = pytest.mark.anyio

LIMITS = PictureLimits()


@asynccontextmanager
async def started(
    processes: int = 1, cpu_s: float = 3.0, limits: PictureLimits = LIMITS
) -> AsyncIterator[tuple[DecoderPool, list[str]]]:
    """Yield a pool, and the causes for which its processes have ended so far."""
    causes: list[str] = []
    pool = DecoderPool(processes, cpu_s, limits, 16 << 20, causes.append)
    pool.start()
    try:
        yield pool, causes
    finally:
        await pool.stop()


def drawing(digit: int = 7, side: int = 100) -> Gray:
    strokes = put(draw_strokes(digit, side // 2, side / 12), (side, side), (side // 4, side // 4))
    return np.asarray(255 - 255 * strokes).astype(np.uint8)


def speckled() -> Gray:
    """Return a picture of MNIST's size that can be read in several ways."""
    specks = np.random.default_rng(2).random((28, 28)) < 0.05
    strokes = put(draw_strokes(4, 20, 3), (28, 28), (4, 6))
    return np.where(specks, 255, 255 * strokes).astype(np.uint8)


def file(picture: Gray, name: str = "it") -> PictureFile:
    return PictureFile(image_file(picture), name)


def slow_file(seconds: float = 0.5) -> PictureFile:
    """Return a progressive JPEG with as many scans as are allowed, which takes about as long to decode."""
    content = image_file(Image.new("L", (4000, 4000), 200), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return PictureFile(content[:-2] + content[last:-2] * round(100 * seconds) + content[-2:], "slow.jpg")


async def until(is_seen: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(30):
        while not is_seen():
            await asyncio.sleep(0.01)
    assert is_seen(), what


def assert_same_readings(picture: Normalized, expected: Normalized) -> None:
    readings = [(item.pixels.tobytes(), item.report) for item in (picture, *picture.alternatives)]
    assert readings == [(item.pixels.tobytes(), item.report) for item in (expected, *expected.alternatives)]


async def test_pictures_come_back_as_the_library_makes_them_and_in_their_order() -> None:
    photo = photograph(put(draw_strokes(3, 150, 12), (240, 200), (40, 30)), seed=1)
    few: list[Picture] = [file(drawing(4)), photo, file(photo), speckled()]
    many = few * BATCH_PICTURES  # several batches
    async with started(processes=2, cpu_s=30) as (pool, _):  # on a busy machine, 32 photos may take 3 s
        images, normalized, *_ = await pool.run("mnist", many)
    expected = [normalize(picture) for picture in (drawing(4), photo, photo, speckled())]
    assert expected[3].alternatives
    assert (len(images), len(normalized)) == (0, len(many))
    for i, picture in enumerate(normalized):
        assert_same_readings(picture, expected[i % 4])


async def test_images_are_decoded_as_they_are_with_fit_strict(digits: Gray) -> None:
    async with started() as (pool, _):
        files = [PictureFile(image_file(digit, "GIF"), "it") for digit in digits]
        images, normalized, *_ = await pool.run("strict", files)
    np.testing.assert_array_equal(images, digits)
    assert normalized == ()


@pytest.mark.parametrize("options", [("AVIF", {}), ("HEIC", {}), ("HEIC", {"tile_size": 64})])
async def test_photos_of_phones_are_decoded_within_the_memory_of_a_process(
    options: tuple[str, dict[str, int]], digits: Gray
) -> None:
    file_format, more = options
    picture = drawing(5, 200)
    async with started() as (pool, causes):
        _, (normalized,), *_ = await pool.run("mnist", [PictureFile(image_file(picture, file_format, **more), "it")])
        (image,), *_ = await pool.run("strict", [PictureFile(image_file(digits[1], file_format), "it")])
        assert causes == []
    assert_same_readings(normalized, normalize(picture))
    np.testing.assert_array_equal(image, digits[1])


def test_photo_in_tiles_is_estimated_by_its_tiles() -> None:
    picture = Image.new("L", (1000, 800), 200)
    whole, tiled = (PictureFile(image_file(picture, "HEIC", tile_size=side), "it") for side in (0, 256))
    assert estimate_bytes(tiled) < estimate_bytes(whole) / 3
    assert estimate_seconds(whole) > estimate_seconds(PictureFile(image_file(picture), "it"))


@pytest.mark.parametrize(
    ("fit", "picture", "error", "message"),
    [
        ("mnist", np.full((50, 60), 255, np.uint8), NoDigitError, "image 2: the picture is blank"),
        ("mnist", file(np.full((50, 60), 255, np.uint8)), NoDigitError, "image 2: the picture is blank"),
        ("mnist", PictureFile(b"x", "image 2 of 2"), ImageError, "image 2 of 2 .* is not an image"),
        ("mnist", PictureFile(png_claiming(20_000, 1), "image 2 of 2"), TooLargeError, "image 2 of 2 is 20000x1"),
        ("strict", file(drawing(), "image 2 of 2"), ImageSizeError, "image 2 of 2 is 100x100 pixels, expected 28x28"),
    ],
)
async def test_error_of_a_picture_is_the_librarys_and_harms_no_process(
    fit: str, picture: Picture, error: type[InputError], message: str, digits: Gray
) -> None:
    async with started() as (pool, causes):
        before = pool.pids
        with pytest.raises(error, match=message):
            await pool.run("strict" if fit == "strict" else "mnist", [file(digits[0]), picture])
        assert (await pool.run("strict", [file(digits[0])])).images.shape == (1, 28, 28)
        assert set(before) <= set(pool.pids)
        assert causes == []


async def test_first_error_counts_whichever_batch_ends_first() -> None:
    blank = np.full((50, 60), 255, np.uint8)
    async with started(processes=3) as (pool, _):
        pictures: list[Picture] = [drawing(7)] * 500
        pictures[100] = pictures[499] = blank
        with pytest.raises(NoDigitError, match="image 101: "):
            await pool.run("mnist", pictures)


# limits


async def test_picture_that_takes_more_than_its_cpu_time_is_refused_and_its_process_replaced() -> None:
    async with started(cpu_s=0.1) as (pool, causes):
        with pytest.raises(TooLargeError, match=r"slow\.jpg took more than 0\.1 s of CPU.*INKLING_MAX_DECODER_CPU_S"):
            await pool.run("mnist", [slow_file()])
        assert causes == ["cpu"]
        assert len((await pool.run("mnist", [drawing()])).normalized) == 1


async def test_cpu_time_is_of_a_request_not_of_a_picture() -> None:
    async with started(processes=2, cpu_s=0.4) as (pool, _):
        with pytest.raises(TooLargeError, match=r"s of CPU; the images of a request may take 0\.4 s"):
            await pool.run("mnist", [drawing(side=256)] * 500)


async def test_process_allocates_no_more_than_its_memory() -> None:
    child = DecoderProcess(20 << 20)
    await child.wait_until_ready()
    content = image_file(Image.new("RGBA", (3000, 2000)))
    item = {"bytes": len(content), "name": "it", "number": 1, "shape": None}
    task = {"task": "mnist", "cpu_s": 3, "limits": asdict(LIMITS), "items": [item]}
    for _ in range(2):  # it survives that
        answer = await child.ask(task, [content])
        assert (answer.header["error"], answer.header["message"]) == (
            "TooLargeError",
            "it needs more memory than there is: scale it down",
        )
    child.kill()
    assert await child.end() == -signal.SIGKILL


async def test_process_ends_in_silence_when_its_server_is_gone() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.decoders.child", str(20 << 20)),
            stdin=theirs.fileno(),
            stdout=PIPE,
            stderr=PIPE,
        )
        printed = await child.communicate()
    assert (child.returncode, *printed) == (0, b"", b"")


@pytest.mark.parametrize(
    ("number", "error", "message", "cause"),
    [
        (signal.SIGKILL, TooLargeError, "takes more memory than the limit", "memory"),
        (signal.SIGSEGV, ImageError, "is damaged: its decoder crashed", "crashed"),
    ],
)
async def test_process_that_is_killed_at_work_fails_its_picture_alone(
    number: signal.Signals, error: type[Exception], message: str, cause: str
) -> None:
    async with started() as (pool, causes):
        failing = asyncio.ensure_future(pool.run("mnist", [slow_file()]))
        await until(lambda: pool.running, "it runs")
        killed = pool.pids
        for pid in killed:
            os.kill(pid, number)
        with pytest.raises(error, match=message):
            await failing
        await until(lambda: len(causes) == len(killed), "all ends are seen")
        assert cause in causes
        assert len((await pool.run("mnist", [drawing()])).normalized) == 1


async def test_process_that_is_killed_while_idle_is_replaced() -> None:
    async with started() as (pool, causes):
        await pool.run("mnist", [drawing()])
        before = pool.pids
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len(causes) == 2, "both ends are seen")
        assert len((await pool.run("mnist", [drawing()])).normalized) == 1
        assert not set(before) & set(pool.pids)


async def test_process_that_is_stopped_is_killed_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.decoders.pool.WALL_FACTOR", 0.3)
    async with started() as (pool, causes):
        failing = asyncio.ensure_future(pool.run("mnist", [slow_file()]))
        await until(lambda: pool.running, "it runs")
        for pid in pool.pids:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(OverloadedError, match="its process ended; try again"):
            await failing
        assert "killed" in causes


# clients that leave, and too many


async def test_request_that_is_cancelled_ends_its_process_and_leaves_the_queue() -> None:
    async with started() as (pool, causes):
        requests = [asyncio.ensure_future(pool.run("mnist", [slow_file()])) for _ in range(4)]
        await until(lambda: pool.running, "one runs")
        pool_pids = pool.pids
        for pid in pool_pids:
            os.kill(pid, signal.SIGSTOP)  # so that it cannot end by itself
        for request in requests:
            request.cancel()
        await until(lambda: causes == ["killed"], "the process that worked was ended")
        for pid in pool_pids:
            with suppress(ProcessLookupError):  # the one that worked
                os.kill(pid, signal.SIGCONT)
        assert len((await pool.run("mnist", [drawing()])).normalized) == 1
        await until(lambda: not pool.waiting, "nothing waits")


async def test_small_picture_passes_slow_ones_and_too_many_are_refused() -> None:
    async with started() as (pool, _):
        file = slow_file()
        slow = [asyncio.ensure_future(pool.run("mnist", [file])) for _ in range(60)]
        await until(lambda: pool.running, "one runs")
        assert len((await pool.run("mnist", [drawing()])).normalized) == 1
        done, _pending = await asyncio.wait(slow, timeout=0)
        assert sum(task.exception() is None for task in done) < 30
        refused = [task.exception() for task in done if isinstance(task.exception(), OverloadedError)]
        assert refused
        for error in refused:
            assert isinstance(error, OverloadedError)
            assert error.retry_after_s >= 1
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_pictures_of_clients_that_have_left_take_no_room_in_the_queue() -> None:
    file = slow_file()
    large = PictureFile(file.content + bytes(6 << 20), "slow.jpg")  # after the end of its picture
    async with started() as (pool, _):
        for _ in range(3):  # more than may wait at once
            waiting = [asyncio.ensure_future(pool.run("mnist", [large])) for _ in range(5)]
            await until(lambda: pool.running, "one runs")
            assert not [task for task in waiting if task.done()]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def test_stopped_pool_leaves_no_process() -> None:
    async with started(processes=2) as (pool, _):
        running = asyncio.ensure_future(pool.run("mnist", [slow_file()]))
        await until(lambda: pool.running, "it runs")
        pids = pool.pids
        running.cancel()
    assert len(pids) == 3
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
