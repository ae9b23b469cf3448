"""The Open Inference Protocol, version 2, over REST: what Triton, KServe and MLServer speak, and their clients."""

from typing import Any

from app.errors import ProtocolError
from app.protocols.calls import Call, ProtocolAnswer, json_answer
from app.protocols.documentation import operation, path_parameter
from app.protocols.names import DIGITS, FILES_MODEL, INPUT, MODEL, SCORES
from app.protocols.router import ProtocolRoute, ProtocolRouter
from inkling import __version__
from inkling.digit import NUM_CLASSES, NUM_PIXELS
from inkling.errors import InklingError

TAG = "open inference v2"
SERVER: dict[str, Any] = {
    "name": "inkling",
    "version": __version__,
    "extensions": ["classification", "binary_tensor_data", "model_repository", "model_configuration", "statistics"],
}
MODELS = (MODEL, FILES_MODEL)

_INPUTS = {
    # not FP32: perf_analyzer fills the advertised type with random bytes, and each byte is a pixel
    MODEL: {"name": INPUT, "datatype": "UINT8", "shape": [-1, NUM_PIXELS]},
    FILES_MODEL: {"name": INPUT, "datatype": "BYTES", "shape": [-1]},
}
_OUTPUTS = [
    {"name": SCORES, "datatype": "FP32", "shape": [-1, NUM_CLASSES]},
    {"name": DIGITS, "datatype": "INT64", "shape": [-1]},
]
_MODEL_PARAMETER = path_parameter("model", f"`{MODEL}` takes pixels, `{FILES_MODEL}` image files", MODEL)
_VERSION_PARAMETER = path_parameter("version", "a version of GET /versions; without it: the one that is served", "1")


def router() -> ProtocolRouter:
    """Return the routes of the protocol."""
    return ProtocolRouter(("/v2",), (*_server_routes(), *_model_routes()))


def model_of(call: Call) -> str:
    """Return the model that the path names.

    Raises:
        ProtocolError: there is none of this name.
    """
    name = call.parameters["model"]
    if name not in MODELS:
        raise ProtocolError(404, f"there is no model {name[:100]!r}; there are {' and '.join(MODELS)}")
    return name


def version_of(call: Call) -> int | None:
    """Return the version that the path names; None: the one that is served.

    Raises:
        ProtocolError: it is no number.
    """
    text = call.parameters.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise ProtocolError(404, f"there is no version {text[:40]!r}: versions are numbers, GET /versions lists them")
    return int(text)


async def _describe_server(call: Call) -> ProtocolAnswer:
    return json_answer(SERVER)


async def _live(call: Call) -> ProtocolAnswer:
    return json_answer({"live": True})


async def _ready(call: Call) -> ProtocolAnswer:
    try:
        await call.ready_predictor()
    except InklingError as error:
        answer = json_answer({"ready": False, "error": str(error)}, 503)
        return answer._replace(headers=[*answer.headers, (b"retry-after", b"5")])
    return json_answer({"ready": True})


async def _list_models(call: Call) -> ProtocolAnswer:
    return json_answer({"models": MODELS})


async def _model_ready(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await call.ready_predictor()
    await call.scoring.versions.predictor(version_of(call))
    return json_answer({"name": name, "ready": True})


async def _describe_model(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await call.scoring.versions.predictor(version_of(call))
    versions = [str(version) for version in await call.scoring.versions.numbers()]
    return json_answer(describe_model(name, versions))


def describe_model(name: str, versions: list[str]) -> dict[str, Any]:
    """Return the metadata of a model."""
    return {
        "name": name,
        "versions": versions,
        "platform": "inkling_numpy",
        "inputs": [_INPUTS[name]],
        "outputs": _OUTPUTS,
    }


def _server_routes() -> list[ProtocolRoute]:
    return [
        ProtocolRoute(
            "GET",
            "/v2",
            _describe_server,
            operation("v2_server", TAG, "Describe the server and its extensions of the protocol", example=SERVER),
        ),
        ProtocolRoute(
            "GET",
            "/v2/health/live",
            _live,
            operation("v2_live", TAG, "Answer that the process is alive", example={"live": True}),
        ),
        ProtocolRoute(
            "GET",
            "/v2/health/ready",
            _ready,
            operation("v2_ready", TAG, "Answer whether a version is loaded", example={"ready": True}),
        ),
        ProtocolRoute(
            "GET",
            "/v2/models",
            _list_models,
            operation("v2_models", TAG, "List the models", example={"models": list(MODELS)}),
        ),
    ]


def _model_routes() -> list[ProtocolRoute]:
    routes = []
    for infix, suffix, parameters in (
        ("", "", (_MODEL_PARAMETER,)),
        ("/versions/{version}", "_version", (_MODEL_PARAMETER, _VERSION_PARAMETER)),
    ):
        path = f"/v2/models/{{model}}{infix}"
        routes += [
            ProtocolRoute(
                "GET",
                path,
                _describe_model,
                operation(
                    f"v2_model{suffix}",
                    TAG,
                    "Describe a model: its versions and tensors",
                    example=describe_model(MODEL, ["1"]),
                    statuses=(404,),
                    parameters=parameters,
                ),
            ),
            ProtocolRoute(
                "GET",
                f"{path}/ready",
                _model_ready,
                operation(
                    f"v2_model_ready{suffix}",
                    TAG,
                    "Answer whether a model is loaded",
                    example={"name": MODEL, "ready": True},
                    statuses=(404,),
                    parameters=parameters,
                ),
            ),
        ]
    return routes
