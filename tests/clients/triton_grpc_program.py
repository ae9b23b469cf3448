"""Reads digits through tritonclient over gRPC: URL FOLDER PORT. Writes the probabilities of FOLDER's digits as JSON."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import aio
from tritonclient.utils import InferenceServerException


def tensor(images: Any, datatype: str) -> triton.InferInput:
    found = triton.InferInput("images", list(images.shape), datatype)
    found.set_data_from_numpy(images)
    return found


def check_calls(client: triton.InferenceServerClient) -> None:
    """Make every call beside inference."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("mnist", "1")
    assert not client.is_model_ready("resnet")
    assert "binary_tensor_data" in client.get_server_metadata().extensions
    assert client.get_model_metadata("mnist").inputs[0].datatype == "UINT8"
    assert client.get_model_config("mnist").config.max_batch_size > 0
    assert {model.name for model in client.get_model_repository_index().models} == {"mnist", "mnist-files"}
    assert client.get_inference_statistics("mnist").model_stats[0].name == "mnist"
    assert status_of_floats_up_to_255(client) == "StatusCode.INVALID_ARGUMENT"


def status_of_floats_up_to_255(client: triton.InferenceServerClient) -> str:
    """Return the status with which they are refused; OK if they are not."""
    try:
        client.infer("mnist", [tensor(np.full((1, 784), 255, np.float32), "FP32")])
    except InferenceServerException as error:
        return str(error.status())
    return "OK"


async def read_async(url: str, flat: Any) -> Any:
    async with aio.InferenceServerClient(url) as client:
        return (await client.infer("mnist", [tensor(flat, "UINT8")])).as_numpy("scores")


def main(folder: Path, port: str) -> None:
    url = f"127.0.0.1:{port}"
    digits = np.load(folder / "digits.npy")
    flat = digits.reshape(-1, 784)
    with triton.InferenceServerClient(url) as client:
        check_calls(client)
        scores = client.infer("mnist", [tensor(flat, "UINT8")]).as_numpy("scores")
        files = np.array([(folder / f"{number}.png").read_bytes() for number in range(len(digits))], np.object_)
        for again in (
            client.infer("mnist", [tensor((flat / 255).astype(np.float32), "FP32")]).as_numpy("scores"),
            client.infer("mnist-files", [tensor(files, "BYTES")]).as_numpy("scores"),
            asyncio.run(read_async(url, flat)),
        ):
            assert np.array_equal(again, scores)
    json.dump(scores.tolist(), sys.stdout)


main(Path(sys.argv[2]), sys.argv[3])
