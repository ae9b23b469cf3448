"""Reads digits through tritonclient over HTTP: URL FOLDER. Prints the probabilities of each of FOLDER's digits as JSON.

It makes the calls of Triton's own examples, synchronous and asynchronous, and checks that all give the same bits.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException


def tensor(images: Any, datatype: str, *, is_binary: bool = True) -> triton.InferInput:
    found = triton.InferInput("images", list(images.shape), datatype)
    found.set_data_from_numpy(images, binary_data=is_binary)
    return found


def status_of(call: Callable[[], object]) -> str | None:
    """Return the status with which a call is refused; None if it is not."""
    try:
        call()
    except InferenceServerException as error:
        return str(error.status())
    return None


def check_calls(client: triton.InferenceServerClient) -> None:
    """Make every call beside inference."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("mnist", "1")
    assert not client.is_model_ready("resnet")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata("mnist")["inputs"][0]["datatype"] == "UINT8"
    assert client.get_model_config("mnist")["max_batch_size"] > 0
    assert {item["name"] for item in client.get_model_repository_index()} == {"mnist", "mnist-files"}
    client.load_model("mnist")
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    for refused in (
        lambda: client.unload_model("mnist"),
        lambda: client.register_system_shared_memory("region", "/region", 784),
        lambda: client.infer("mnist", [tensor(np.full((1, 784), 255, np.float32), "FP32")]),
    ):
        assert status_of(refused) == "400"


def read(client: triton.InferenceServerClient, digits: Any, folder: Path) -> Any:
    """Return the probabilities (n, 10) of digits (n, 28, 28), after reading them in every form."""
    flat = digits.reshape(-1, 784)
    scores = client.infer("mnist", [tensor(flat, "UINT8")]).as_numpy("scores")
    contents = [(folder / f"{number}.png").read_bytes() for number in range(len(digits))]
    answers = [
        client.infer("mnist", [tensor(flat, "UINT8", is_binary=False)]),
        client.infer("mnist", [tensor((digits / 255).astype(np.float32), "FP32")], model_version="1"),
        client.infer("mnist", [tensor((flat / 255).astype(np.float16), "FP16")]),
        client.infer("mnist", [tensor(flat, "UINT8")], request_compression_algorithm="gzip"),
        client.infer("mnist", [tensor(flat, "UINT8")], request_compression_algorithm="deflate"),
        client.infer("mnist-files", [tensor(np.array(contents, np.object_), "BYTES")]),
    ]
    for answer in answers:
        assert np.array_equal(answer.as_numpy("scores"), scores)
        assert np.array_equal(answer.as_numpy("digits"), scores.argmax(axis=1))
    classes = triton.InferRequestedOutput("scores", class_count=2)
    best = client.infer("mnist", [tensor(flat, "UINT8")], outputs=[classes])
    labels = [int(text.split(b":")[2]) for text in best.as_numpy("scores")[:, 0]]
    assert labels == scores.argmax(axis=1).tolist()
    (counts,) = client.get_inference_statistics("mnist", "1")["model_stats"]
    assert counts["inference_stats"]["queue"]["count"] == counts["execution_count"] > 0
    return scores


async def read_asynchronously(host: str, digits: Any) -> Any:
    async with aio.InferenceServerClient(host) as client:
        assert await client.is_server_ready()
        flat = digits.reshape(-1, 784)
        answers = [
            await client.infer("mnist", [tensor(flat, "UINT8", is_binary=is_binary)]) for is_binary in (True, False)
        ]
        assert np.array_equal(answers[0].as_numpy("scores"), answers[1].as_numpy("scores"))
        return answers[0].as_numpy("scores")


if __name__ == "__main__":
    url, folder = sys.argv[1:3]
    host = url.removeprefix("http://")
    digits = np.load(Path(folder) / "digits.npy")
    client = triton.InferenceServerClient(host)
    check_calls(client)
    scores = read(client, digits, Path(folder))
    assert np.array_equal(asyncio.run(read_asynchronously(host, digits)), scores)
    print(json.dumps(scores.astype(float).tolist()))  # noqa: T201  the answer
