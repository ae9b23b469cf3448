"""TensorFlow Serving over gRPC: Predict, for clients such as its own mnist_client.py."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from app.errors import ProtocolError
from app.protocols.grpc_messages import MESSAGES, few
from app.protocols.grpc_server import Handler
from app.protocols.names import INPUT, MODEL, SCORES
from app.protocols.pixels import Pixels, count_images, to_levels
from app.protocols.tf_serving_v1 import STABLE
from app.protocols.tf_serving_v1_documents import DEFAULT_SIGNATURE, FILES_SIGNATURE, SIGNATURES
from app.serving.scoring import Scoring
from inkling.digit import NUM_CLASSES, NUM_PIXELS
from inkling.errors import UnknownVersionError
from inkling.predictor import Predictions

SERVICE: Final = "tensorflow.serving.PredictionService"
PROTOCOL: Final = "tensorflow serving grpc"
DT_FLOAT: Final = 1
DT_STRING: Final = 7
NUMBERS: Final = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("<u1", "int_val"),
    9: ("<i8", "int64_val"),
    19: ("<f2", "half_val"),
}
"""TensorFlow's number of a type of pixels -> its bytes in tensor_content, and the list that may hold them instead."""


class TensorFlowServingGrpc:
    """Answers the calls of the service."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    def methods(self) -> dict[str, tuple[str, Handler]]:
        """Return the methods by their names: the request of each, and its handler."""
        return {"Predict": ("PredictRequest", self._predict)}

    async def _predict(self, request: Any) -> Any:
        spec = request.model_spec
        version = await self._known_version(spec)
        signature = spec.signature_name or DEFAULT_SIGNATURE
        if signature not in SIGNATURES:
            raise ProtocolError(
                400,
                f'Serving signature name: "{signature[:100]}" not found in signature def; it has '
                f"{', '.join(SIGNATURES)}",
            )
        if unknown := [name for name in few(request.output_filter, "output names") if name != SCORES]:
            raise ProtocolError(400, f"output tensor alias not found in signature: {unknown[0][:100]}; it has {SCORES}")
        predictions = await self._score(_only_input(request.inputs), signature, version)
        return _answer(predictions, signature)

    async def _known_version(self, spec: Any) -> int | None:
        asked = spec.version.value if spec.HasField("version") else None
        servable = f"Latest({spec.name[:100]})" if asked is None else f"Specific({spec.name[:100]}, {asked})"
        if spec.name != MODEL:
            raise ProtocolError(404, f"Servable not found for request: {servable}")
        if spec.HasField("version_label") and spec.version_label != STABLE:
            raise ProtocolError(400, f"Unrecognized servable version label: {spec.version_label[:100]}")
        version = asked or None  # 0: the one that is served, as over REST
        try:
            await self._scoring.versions.predictor(version)
        except UnknownVersionError as error:
            raise ProtocolError(404, f"Servable not found for request: {servable}") from error
        return version

    async def _score(self, tensor: Any, signature: str, version: int | None) -> Predictions:
        shape = [dimension.size for dimension in few(tensor.tensor_shape.dim, "axes")]
        if tensor.dtype == DT_STRING:
            files = list(tensor.string_val)
            if not files:
                raise ProtocolError(400, f"`{INPUT}` has no string_val, expected image files")
            if shape not in ([len(files)], [] if len(files) == 1 else None):
                raise ProtocolError(
                    400, f"string_val has {len(files)} files, expected the shape [{len(files)}], not {shape}"
                )
            return await self._scoring.score_files(files, PROTOCOL, version=version)
        if signature == FILES_SIGNATURE:
            raise ProtocolError(400, f"`{INPUT}` has type {tensor.dtype}, {FILES_SIGNATURE} takes DT_STRING: files")
        count = count_images(shape)
        self._scoring.inference.limits.check_count(count)  # one number may stand for all
        return await self._scoring.score_pixels(_pixels_of(tensor, count), PROTOCOL, version)


def _only_input(entries: Sequence[Any]) -> Any:
    names = [entry.key for entry in few(entries, "inputs")]
    if names != [INPUT]:
        raise ProtocolError(
            400,
            f"input size does not match signature: inputs must be exactly {INPUT}, found: "
            f"{', '.join(names)[:200] or 'none'}",
        )
    return entries[0].value


def _pixels_of(tensor: Any, count: int) -> Pixels:
    if tensor.dtype not in NUMBERS:
        raise ProtocolError(
            400,
            f"`{INPUT}` has type {tensor.dtype}, expected DT_FLOAT, DT_DOUBLE, DT_HALF, DT_UINT8, DT_INT32, DT_INT64",
        )
    dtype, field = np.dtype(NUMBERS[tensor.dtype][0]), NUMBERS[tensor.dtype][1]
    numbers: Any
    if tensor.tensor_content:
        if len(tensor.tensor_content) != count * NUM_PIXELS * dtype.itemsize:
            raise ProtocolError(
                400,
                f"tensor_content has {len(tensor.tensor_content)} bytes, expected "
                f"{count * NUM_PIXELS * dtype.itemsize} for {count} images",
            )
        numbers = np.frombuffer(tensor.tensor_content, dtype)
    else:
        numbers = np.array(getattr(tensor, field))
        if dtype.itemsize == 2:  # half_val holds the bits
            numbers = numbers.astype(np.uint16).view(dtype)
        if len(numbers) not in (1, count * NUM_PIXELS):
            raise ProtocolError(400, f"{field} has {len(numbers)} numbers, expected {count * NUM_PIXELS} or 1")
    levels = to_levels(numbers, is_unit=dtype.kind == "f")
    return np.broadcast_to(levels, count * NUM_PIXELS).reshape(count, NUM_PIXELS)  # one number: all are the same


def _answer(predictions: Predictions, signature: str) -> Any:
    """Return the scores in float_val: mnist_client.py reads nothing else."""
    answer = MESSAGES["PredictResponse"]()
    answer.model_spec.name, answer.model_spec.signature_name = MODEL, signature
    answer.model_spec.version.value = predictions.version
    scores = answer.outputs.add(key=SCORES).value
    scores.dtype = DT_FLOAT
    for size in (len(predictions.probabilities), NUM_CLASSES):
        scores.tensor_shape.dim.add(size=size)
    scores.float_val.extend(predictions.probabilities.ravel().tolist())
    return answer
