"""The Open Inference Protocol, version 2, over gRPC: KServe's service, and what Triton's clients ask besides."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from anyio.to_thread import run_sync

from app.errors import ProtocolError
from app.protocols.grpc_messages import MESSAGES, few
from app.protocols.grpc_server import Handler
from app.protocols.json_body import SMALL_BYTES
from app.protocols.names import FILES_MODEL
from app.protocols.open_inference_v2_answer import tensor_of, warnings_of
from app.protocols.open_inference_v2_models import (
    MODELS,
    SERVER,
    configure_model,
    describe_model,
    index_models,
    require_model,
    require_version,
)
from app.protocols.open_inference_v2_request import read_outputs, require_fit, require_input
from app.protocols.open_inference_v2_statistics import Statistics, Timing
from app.protocols.pixels import Pixels, count_images, to_levels
from app.protocols.tensors import BYTES, binary_pixels, byte_strings, number_type, pack_strings
from app.serving.scoring import Scoring
from inkling.digit import NUM_PIXELS
from inkling.errors import InklingError
from inkling.predictor import Fit, Predictions

SERVICE: Final = "inference.GRPCInferenceService"
PROTOCOL: Final = "open_inference_grpc"

CONTENTS: Final = {
    "UINT8": "uint_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""Datatype -> the list that holds a tensor's elements, where they are not raw."""
DATA_TYPES: Final = {"TYPE_UINT8": 2, "TYPE_INT64": 9, "TYPE_FP32": 11, "TYPE_STRING": 13}
KIND_CPU: Final = 2
"""Numbers of Triton's model_config.proto."""


class OpenInferenceGrpc:
    """Answers the calls of the service, and counts its inferences.

    Args:
        scoring: reads the images.
        stopping: set when the server stops: then it is not ready.
    """

    def __init__(self, scoring: Scoring, stopping: asyncio.Event) -> None:
        self._scoring = scoring
        self._stopping = stopping
        self._statistics = Statistics()

    def methods(self) -> dict[str, tuple[str, Handler]]:
        """Return the methods by their names: the request of each, and its handler."""
        return {
            "ServerLive": ("Empty", self._live),
            "ServerReady": ("Empty", self._ready),
            "ModelReady": ("ModelName", self._model_ready),
            "ServerMetadata": ("Empty", self._describe_server),
            "ModelMetadata": ("ModelName", self._describe_model),
            "ModelConfig": ("ModelName", self._configure_model),
            "ModelStatistics": ("ModelName", self._describe_statistics),
            "RepositoryIndex": ("Empty", self._index),
            "ModelInfer": ("ModelInferRequest", self._infer),
        }

    async def _live(self, request: Any) -> Any:
        return MESSAGES["Live"](live=True)

    async def _ready(self, request: Any) -> Any:
        return MESSAGES["Ready"](ready=await self._is_ready(None))

    async def _model_ready(self, request: Any) -> Any:
        """Answer false for a model that does not exist, as Triton does."""
        try:
            require_model(request.name)
            is_ready = await self._is_ready(_version_of(request.version))
        except ProtocolError:
            is_ready = False
        return MESSAGES["Ready"](ready=is_ready)

    async def _is_ready(self, version: int | None) -> bool:
        try:
            await self._scoring.versions.predictor(version)
        except InklingError:
            return False
        return not self._stopping.is_set()

    async def _describe_server(self, request: Any) -> Any:
        return MESSAGES["ServerMetadata"](**SERVER)

    async def _describe_model(self, request: Any) -> Any:
        name = await self._require(request)
        return MESSAGES["ModelMetadata"](**describe_model(name, await self._scoring.versions.numbers()))

    async def _configure_model(self, request: Any) -> Any:
        config = configure_model(await self._require(request), self._scoring.inference.limits.max_images)
        for part, fields in (("input", {"format": 0}), ("output", {})):
            config[part] = [
                {**tensor, **fields, "data_type": DATA_TYPES[tensor["data_type"]]} for tensor in config[part]
            ]
        config["instance_group"] = [{**group, "kind": KIND_CPU} for group in config["instance_group"]]
        return MESSAGES["ModelConfigResponse"](config=config)

    async def _describe_statistics(self, request: Any) -> Any:
        names = [await self._require(request)] if request.name else MODELS
        used = (await self._scoring.versions.predictor(_version_of(request.version))).version
        fields = {"response_stats", "batch_stats", "memory_usage"}
        found = [
            {key: value for key, value in self._statistics.describe(name, version).items() if key not in fields}
            for name in names
            for version in sorted({used} if request.version else {used, *self._statistics.versions(name)})
        ]
        return MESSAGES["ModelStatisticsResponse"](model_stats=found)

    async def _index(self, request: Any) -> Any:
        return MESSAGES["RepositoryIndex"](models=index_models(await self._scoring.versions.numbers()))

    async def _require(self, request: Any) -> str:
        """Return the model of a request, after looking for its version."""
        name = require_model(request.name)
        await self._scoring.versions.predictor(_version_of(request.version))
        return name

    async def _infer(self, request: Any) -> Any:
        model, version = require_model(request.model_name), _version_of(request.model_version)
        key = (model, (await self._scoring.versions.predictor(version)).version)
        with Timing(self._statistics, key) as timing:
            parameters = _values_of(request.parameters)
            asked = [
                {"name": output.name, "parameters": _values_of(output.parameters)}
                for output in few(request.outputs, "outputs")
            ]
            outputs = read_outputs(asked, is_binary=True)
            images = await self._read(request, model)
            fit = require_fit(parameters, model)
            timing.note_read()
            predictions = await self._score(images, fit, version)
            timing.note_scored()
            timing.images = len(predictions.probabilities)
            return _answer(predictions, model, request.id, outputs)

    async def _read(self, request: Any, model: str) -> Pixels | list[bytes]:
        """Return the images of a request; of a large one in a thread, since 4 MB may be a million elements."""
        raw = request.raw_input_contents
        if not raw or len(raw[0]) <= SMALL_BYTES:
            return _images_of(request, model)
        return await run_sync(_images_of, request, model, limiter=self._scoring.inference.threads)

    async def _score(self, images: Pixels | list[bytes], fit: Fit, version: int | None) -> Predictions:
        if isinstance(images, list):
            return await self._scoring.score_files(images, PROTOCOL, fit=fit, version=version)
        return await self._scoring.score_pixels(images, PROTOCOL, version)


def _version_of(text: str) -> int | None:
    return require_version(text) if text else None


def _values_of(entries: Sequence[Any]) -> dict[str, Any]:
    """Return parameters by their names: of each the one value that it holds."""
    return {
        entry.key: next((value for _, value in entry.value.ListFields()), None) for entry in few(entries, "parameters")
    }


def _images_of(request: Any, model: str) -> Pixels | list[bytes]:
    for tensor in few(request.inputs, "inputs"):
        require_input(tensor.name, model)
    if len(request.inputs) != 1:
        raise ProtocolError(400, f"{len(request.inputs)} inputs, model '{model}' has one")
    tensor, raw = request.inputs[0], request.raw_input_contents
    if "shared_memory_region" in _values_of(tensor.parameters):
        raise ProtocolError(400, "this server does not use shared memory; send tensors in the message")
    if raw and tensor.HasField("contents"):
        raise ProtocolError(400, "the input has both contents and raw_input_contents, expected one")
    if len(raw) > 1:
        raise ProtocolError(400, f"raw_input_contents has {len(raw)} elements, expected one per input: 1")
    if model == FILES_MODEL:
        return _files_of(tensor, raw)
    return binary_pixels(raw[0], tensor.datatype, tensor.shape) if raw else _pixels_of(tensor)


def _files_of(tensor: Any, raw: Sequence[bytes]) -> list[bytes]:
    if tensor.datatype != BYTES:
        raise ProtocolError(400, f"datatype is {tensor.datatype[:40]!r}, expected {BYTES}: image files")
    files = byte_strings(raw[0]) if raw else list(tensor.contents.bytes_contents)
    shape = list(few(tensor.shape, "axes"))
    if shape not in ([len(files)], [len(files), 1]) or not files:
        raise ProtocolError(400, f"shape is {shape[:8]}, and there are {len(files)} files; expected [n], n at least 1")
    return files


def _pixels_of(tensor: Any) -> Pixels:
    kind, count = number_type(tensor.datatype), count_images(tensor.shape)
    if tensor.datatype not in CONTENTS:
        raise ProtocolError(400, f"contents have no {tensor.datatype}; send it in raw_input_contents, or FP32")
    numbers = np.array(getattr(tensor.contents, CONTENTS[tensor.datatype]))
    if len(numbers) != count * NUM_PIXELS:
        raise ProtocolError(
            400,
            f"{CONTENTS[tensor.datatype]} has {len(numbers)} numbers, shape {list(tensor.shape)} has "
            f"{count * NUM_PIXELS}",
        )
    return to_levels(numbers, is_unit=kind.is_unit).reshape(count, NUM_PIXELS)


def _answer(predictions: Predictions, model: str, request_id: str, outputs: Sequence[Any]) -> Any:
    answer = MESSAGES["ModelInferResponse"](model_name=model, model_version=str(predictions.version), id=request_id)
    for output in outputs:
        name, datatype, shape, data = tensor_of(predictions, output)
        answer.outputs.add(name=name, datatype=datatype, shape=shape)
        answer.raw_output_contents.append(
            data.tobytes() if isinstance(data, np.ndarray) else pack_strings([text.encode() for text in data])
        )
    if warnings := warnings_of(predictions):
        answer.parameters.add(key="warnings").value.string_param = warnings
    return answer
