"""The documentation of the Open Inference Protocol, version 2, with examples that work."""

from typing import Any

from app.openapi import VERTICAL_STROKE, VERTICAL_STROKE_PNG
from app.protocols.documentation import header_parameter, operation, path_parameter, with_binary
from app.protocols.names import DIGITS, FILES_MODEL, INPUT, MODEL, SCORES
from app.protocols.open_inference_v2_models import MODELS, SERVER, configure_model, describe_model, index_models
from app.protocols.open_inference_v2_statistics import Statistics
from inkling.digit import NUM_PIXELS

TAG = "open inference v2"
_MODEL = path_parameter("model", f"`{MODEL}` takes pixels, `{FILES_MODEL}` image files", MODEL)
_VERSION = path_parameter("version", "a version of GET /versions; without it: the one that is served", "1")
_REGION = path_parameter("region", "the name of a region of shared memory", "region")
_HEADER_LENGTH = header_parameter(
    "Inference-Header-Content-Length",
    "bytes of JSON at the begin of the body, before the binary tensors; 0: the body is one tensor and nothing else",
    {"type": "integer", "minimum": 0},
)


def _body(datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"id": "r1", "inputs": [{"name": INPUT, "shape": shape, "datatype": datatype, "data": data}]}


_STROKE = [level for row in VERTICAL_STROKE for level in row]
_ANSWER = {
    "model_name": MODEL,
    "model_version": "1",
    "id": "r1",
    "outputs": [
        {
            "name": SCORES,
            "datatype": "FP32",
            "shape": [1, 10],
            "data": [0.0, 0.998, 0.0, 0.0, 0.0, 0.0, 0.0, 0.001, 0.001, 0.0],
        },
        {"name": DIGITS, "datatype": "INT64", "shape": [1], "data": [1]},
    ],
}
_PIXEL_BODIES = {
    "one image of a 1": _body("UINT8", [1, NUM_PIXELS], _STROKE),
    "floats from 0 to 1, and the two best classes": {
        **_body("FP32", [1, 28, 28], [level / 255 for level in _STROKE]),
        "outputs": [{"name": SCORES, "parameters": {"classification": 2}}],
    },
}
_FILE_BODIES = {
    "one image file in Base64": _body("BYTES", [1], [VERTICAL_STROKE_PNG]),
    "a picture of any size": {**_body("BYTES", [1], [VERTICAL_STROKE_PNG]), "parameters": {"fit": "mnist"}},
}
_ANY_OBJECT: dict[str, Any] = {"an empty object": {}}

SERVER_CALL = operation("v2_server", TAG, "Describe the server and its extensions of the protocol", example=SERVER)
LIVE_CALL = operation("v2_live", TAG, "Answer that the process is alive", example={"live": True})
READY_CALL = operation("v2_ready", TAG, "Answer whether a version is loaded", example={"ready": True})
MODELS_CALL = operation("v2_models", TAG, "List the models", example={"models": list(MODELS)})
ALL_STATISTICS_CALL = operation(
    "v2_all_statistics",
    TAG,
    "Count the requests and images of all models",
    example={"model_stats": [Statistics().describe(model, 1) for model in MODELS]},
)
INDEX_CALL = operation(
    "v2_index",
    TAG,
    "List every model in every version",
    example=index_models([1]),
    statuses=(400,),
    bodies=_ANY_OBJECT,
)
LOAD_CALL = operation(
    "v2_load",
    TAG,
    "Look for a newly promoted version",
    description="Every model is loaded already; what was promoted a moment ago is served when this call is answered.",
    example={"name": MODEL, "load": True},
    statuses=(400, 404),
    parameters=(_MODEL,),
    bodies=_ANY_OBJECT,
    needs_key=True,
)


def infer_call(model: str) -> dict[str, Any]:
    """Return the documentation of inference with a model."""
    takes = "pixels" if model == MODEL else "image files"
    return _infer(
        "v2_infer" if model == MODEL else "v2_infer_files",
        f"Read the digits on {takes}",
        model,
        _PIXEL_BODIES if model == MODEL else _FILE_BODIES,
    )


def infer_version_call() -> dict[str, Any]:
    """Return the documentation of inference with a version of a model."""
    return _infer("v2_infer_version", "Read digits with a version", MODEL, _PIXEL_BODIES, _MODEL, _VERSION)


def _infer(
    operation_id: str, summary: str, model: str, bodies: dict[str, Any], *parameters: dict[str, Any]
) -> dict[str, Any]:
    documented = operation(
        operation_id,
        TAG,
        summary,
        description=(
            f"Pixels of `{MODEL}` are UINT8, INT32 or INT64 from 0 to 255, or FP16, FP32 or FP64 from 0 to 1; shapes "
            f"[n, 784], [n, 28, 28], [n, 28, 28, 1] and [n, 1, 28, 28]. `{FILES_MODEL}` takes image files as BYTES, in "
            "JSON in Base64; with the parameter `fit` = `mnist` pictures of any size. Outputs are `scores` (float32 "
            "[n, 10]) and `digits` (int64 [n]); the parameter `classification` of `scores` gives the best classes in "
            "words. Tensors may be binary, after the JSON."
        ),
        example={**_ANSWER, "model_name": model},
        statuses=(400, 404),
        parameters=(*parameters, _HEADER_LENGTH),
        bodies=bodies,
    )
    return with_binary(documented, "JSON and then the binary tensors", "JSON and then the binary tensors")


def describe_call(*, has_version: bool) -> dict[str, Any]:
    return _model_call(
        "v2_model", "Describe a model: its versions and tensors", describe_model(MODEL, [1]), has_version
    )


def model_ready_call(*, has_version: bool) -> dict[str, Any]:
    return _model_call(
        "v2_model_ready", "Answer whether a model is loaded", {"name": MODEL, "ready": True}, has_version
    )


def configure_call(*, has_version: bool) -> dict[str, Any]:
    return _model_call("v2_config", "Describe a model's configuration", configure_model(MODEL, 10_000), has_version)


def statistics_call(*, has_version: bool) -> dict[str, Any]:
    example = {"model_stats": [Statistics().describe(MODEL, 1)]}
    return _model_call("v2_statistics", "Count a model's requests and images", example, has_version)


def _model_call(operation_id: str, summary: str, example: dict[str, Any], has_version: bool) -> dict[str, Any]:  # noqa: FBT001
    return operation(
        f"{operation_id}_version" if has_version else operation_id,
        TAG,
        f"{summary}, by its version" if has_version else summary,
        example=example,
        statuses=(404,),
        parameters=(_MODEL, _VERSION) if has_version else (_MODEL,),
    )


def shared_memory_calls(memory: str, *, has_region: bool) -> dict[str, dict[str, Any]]:
    """Return the documentation of the calls of a kind of shared memory, of which there is none."""
    suffix, parameters = ("_region", (_REGION,)) if has_region else ("", ())
    prefix = f"v2_{memory}_memory"
    return {
        "status": operation(
            f"{prefix}_status{suffix}",
            TAG,
            f"List the regions of {memory} shared memory: none",
            example=[],
            parameters=parameters,
        ),
        "unregister": operation(
            f"{prefix}_unregister{suffix}",
            TAG,
            f"Forget regions of {memory} shared memory, of which there are none",
            example=None,
            parameters=parameters,
        ),
    }
