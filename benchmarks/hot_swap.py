"""`python -m benchmarks.hot_swap`: the latency and correctness of predictions during promotions.

Two workers, four keep-alive connections; quiet rounds and rounds with 20 promotions take turns. Every answer must be
200 and bit-identical to the prediction of the version that it names.
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.digits import make_digits
from benchmarks.processes import Process, running_inkling
from inkling.digit import Images
from inkling.network import checkpoint
from inkling.network.classifier import Classifier

ROUNDS = 5
ROUND_S = 4.0
CONNECTIONS = 4
PROMOTIONS = 20
NPY = "application/x-npy"


def main() -> int:
    quiet: list[float] = []
    swapping: list[float] = []
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, running_inkling(Path(folder), "--workers", "2") as server:
        images = make_digits(1, seed=0)[0]
        with server.client() as client:
            expected = add_second_version(client, images)
        memory = [sum(server.resident_mib())]
        for _ in range(ROUNDS):
            for promotions, latencies in ((0, quiet), (PROMOTIONS, swapping)):
                seconds, mistakes = load(server, images, expected, promotions)
                latencies.append(float(np.percentile(seconds, 99)))
                wrong += mistakes
            memory.append(sum(server.resident_mib()))
    ratios = [busy / still for busy, still in zip(swapping, quiet, strict=True)]
    print(f"p99, quiet              {statistics.median(quiet) * 1e3:7.2f} ms")
    print(f"p99, with promotions    {statistics.median(swapping) * 1e3:7.2f} ms, {ROUNDS * PROMOTIONS} promotions")
    print(f"ratio                   {statistics.median(ratios):7.2f}    ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"wrong answers           {wrong:7d}")
    print(f"resident memory, MiB    {', '.join(f'{value:.0f}' for value in memory)} (all processes, round by round)")
    return 1 if wrong else 0


def add_second_version(client: httpx.Client, images: Images) -> dict[str, bytes]:
    """Upload a second version; return the probabilities of each version as bytes, by its number."""
    first = checkpoint.load(client.get("/versions/1/checkpoint").content)
    second = checkpoint.save({name: array * np.float32(0.9) for name, array in first.parameters.items()}, first.card)
    headers = {"Content-Type": "application/octet-stream"}
    number = client.post("/versions", content=second.content, headers=headers).raise_for_status().json()["version"]
    return {
        str(version): Classifier(loaded, version).probabilities(images).tobytes()
        for version, loaded in ((1, first), (number, second))
    }


def load(server: Process, images: Images, expected: dict[str, bytes], promotions: int) -> tuple[list[float], int]:
    """Send requests for one round with promotions during it; return the latencies and the number of wrong answers."""
    ended = time.monotonic() + ROUND_S
    seconds: list[float] = []
    mistakes: list[str] = []

    def send() -> None:
        headers = {"Content-Type": "application/octet-stream", "Accept": NPY}
        with server.client() as client:
            while time.monotonic() < ended:
                started = time.perf_counter()
                answer = client.post("/predict", content=images.tobytes(), headers=headers).raise_for_status()
                seconds.append(time.perf_counter() - started)
                if not answer.content.endswith(expected[answer.headers["X-Model-Version"]]):
                    mistakes.append(answer.headers["X-Request-ID"])

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    with server.client() as client:
        for i in range(promotions):
            version = int(list(expected)[i % 2])
            client.put("/versions/current", json={"version": version}).raise_for_status()
            time.sleep(ROUND_S / promotions / 2)
    for thread in threads:
        thread.join()
    return seconds, len(mistakes)


if __name__ == "__main__":
    sys.exit(main())
