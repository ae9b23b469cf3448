"""Load over gRPC, which wrk cannot send: `python -m benchmarks.grpc_load CALL PORT CONNECTIONS SECONDS`.

So many calls at a time, each over a connection of its own; writes its measurement as `post.lua` does.
"""

import asyncio
import json
import sys
import time

import grpc
import numpy as np

from benchmarks.protocols import grpc_requests


async def main(name: str, port: int, connections: int, seconds: float) -> None:
    path, message = grpc_requests()[name]
    latencies_s: list[float] = []
    started = time.perf_counter()

    async def send() -> None:
        own = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=own) as channel:
            method = channel.unary_unary(path)
            while (sent := time.perf_counter()) - started < seconds:
                await method(message, timeout=20)
                latencies_s.append(time.perf_counter() - sent)

    await asyncio.gather(*(send() for _ in range(connections)))
    duration_s = time.perf_counter() - started
    p50, p99 = np.percentile(latencies_s, [50, 99]) * 1e6
    found = {"requests": len(latencies_s), "duration_us": duration_s * 1e6, "p50_us": p50, "p99_us": p99, "errors": 0}
    print(json.dumps(found))


if __name__ == "__main__":
    call, port, connections, seconds = sys.argv[1:]
    asyncio.run(main(call, int(port), int(connections), float(seconds)))
