"""`python -m benchmarks.hot_swap`: what a promotion costs the requests around it.

Two workers, four keep-alive connections; quiet rounds and rounds with 20 promotions take turns. Every answer must be
200 and, bit for bit, what the version that it names gives.
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from tests.support.digits import make_digits
from tests.support.servers import Server, start_server

ROUNDS = 5
ROUND_S = 4.0
CONNECTIONS = 4
PROMOTIONS = 20
NPY = "application/x-npy"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder), "--workers", "2") as server:
        with server.client() as client:
            wait_until_ready(client)
            images = make_digits(1, seed=0)[0]
            expected = add_second_version(client, images)
        quiet: list[float] = []
        swapping: list[float] = []
        wrong = 0
        memory = [resident_mb(server)]
        for _ in range(ROUNDS):
            for promotions, latencies in ((0, quiet), (PROMOTIONS, swapping)):
                seconds, mistakes = load(server, images, expected, promotions)
                latencies.append(float(np.percentile(seconds, 99)))
                wrong += mistakes
            memory.append(resident_mb(server))
    ratios = [busy / still for busy, still in zip(swapping, quiet, strict=True)]
    print(f"p99 quiet      {statistics.median(quiet) * 1e3:7.2f} ms")
    print(f"p99 swapping   {statistics.median(swapping) * 1e3:7.2f} ms, {ROUNDS * PROMOTIONS} promotions")
    print(f"ratio          {statistics.median(ratios):7.2f}    ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"wrong answers  {wrong:7d}")
    print(f"resident, MB   {', '.join(f'{value:.0f}' for value in memory)} (all processes, round by round)")
    return 1 if wrong else 0


def wait_until_ready(client: httpx.Client) -> None:
    """Wait for the workers: they begin to listen after the parent process has said where."""
    for _ in range(200):
        try:
            client.get("/readyz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server is not ready after 10 s")


def add_second_version(client: httpx.Client, images: NDArray[np.uint8]) -> dict[str, bytes]:
    """Upload a version that differs; return what each version answers, by its number."""
    first = checkpoint.load(client.get("/versions/1/checkpoint").content)
    second = checkpoint.save({name: array * np.float32(0.9) for name, array in first.parameters.items()}, first.card)
    headers = {"Content-Type": "application/octet-stream"}
    number = client.post("/versions", content=second.content, headers=headers).raise_for_status().json()["version"]
    return {
        str(version): Classifier(loaded, version).probabilities(images).tobytes()
        for version, loaded in ((1, first), (number, second))
    }


def load(
    server: Server, images: NDArray[np.uint8], expected: dict[str, bytes], promotions: int
) -> tuple[list[float], int]:
    """Send requests for a round, and promote meanwhile; return every latency, and how many answers were wrong."""
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


def resident_mb(server: Server) -> float:
    """Return the resident memory of the server's processes: the one that was started, and its children."""
    pids = [server.process.pid]
    children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()
    total = 0.0
    for pid in [*pids, *map(int, children)]:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("VmRSS:")[1].split()[0]) / 1024
    return total


if __name__ == "__main__":
    sys.exit(main())
