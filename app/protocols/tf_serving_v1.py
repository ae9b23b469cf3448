"""TensorFlow Serving's REST API, which is also the base of KServe v1: paths, order of checks and words as theirs."""

from typing import Any, Final

from app.errors import ProtocolError
from app.known_paths import shown_path
from app.protocols.calls import Call, ProtocolAnswer, json_answer
from app.protocols.documentation import operation, path_parameter
from app.protocols.names import MODEL
from app.protocols.router import ProtocolRoute, ProtocolRouter
from app.protocols.tf_serving_v1_documents import DEFAULT_SIGNATURE, FILES_SIGNATURE, SIGNATURES, metadata, status
from app.protocols.tf_serving_v1_request import Tensor, fit_of, format_of, parse_json, read_tensor
from inkling.errors import UnknownVersionError
from inkling.predictor import Fit, Predictions

PROTOCOL: Final = "tensorflow serving v1"
STABLE: Final = "stable"
"""The label of the served version."""
SERVED: Final = 0
"""The version by which ovmsclient asks for the served one."""
MAX_VERSION: Final = 2**63 - 1
ANSWER_KEYS: Final = {"instances": "predictions", "inputs": "outputs"}
STROKE = [[0] * 28] * 4 + [[0] * 13 + [255] * 3 + [0] * 12] * 20 + [[0] * 28] * 4


def router() -> ProtocolRouter:
    """Return the routes of the protocol."""
    return ProtocolRouter(("/v1",), _routes(), ignore_case=True, unknown=_malformed)


async def score(
    call: Call, tensor: Tensor, protocol: str, version: int | None = None, *, fit: Fit = "strict"
) -> Predictions:
    """Read the images of a tensor; `fit` is of files, pixels are read as they are.

    Raises:
        InklingError: as `Scoring.score_pixels` and `Scoring.score_files`.
    """
    if tensor.pixels is not None:
        return await call.scoring.score_pixels(tensor.pixels, protocol, version)
    return await call.scoring.score_files(tensor.files, protocol, fit=fit, version=version)


async def _predict(call: Call) -> ProtocolAnswer:
    """Answer in the order of TensorFlow Serving's checks."""
    asked = _asked_version(call)
    body = await call.parsed(parse_json, await call.body())
    signature = body.document.get("signature_name", "")
    if not isinstance(signature, str):
        raise ProtocolError(400, "JSON Value not formatted correctly. 'signature_name' key must be a string value.")
    key = format_of(body.document)
    version = await _known_version(call, asked)
    signature = signature or DEFAULT_SIGNATURE
    if signature not in SIGNATURES:
        raise ProtocolError(
            400,
            f'Serving signature name: "{signature[:100]}" not found in signature def; it has {", ".join(SIGNATURES)}',
        )
    tensor = await call.computed(body.size, read_tensor, body, key)
    if signature == FILES_SIGNATURE and tensor.pixels is not None:
        raise ProtocolError(
            400, f"JSON Value Type: Number is not of expected type: string; {FILES_SIGNATURE} takes image files"
        )
    predictions = await score(call, tensor, PROTOCOL, version, fit=fit_of(body.document))
    return json_answer({ANSWER_KEYS[key]: predictions.probabilities})


async def _status(call: Call) -> ProtocolAnswer:
    asked = _asked_version(call)
    version = await _known_version(call, asked)
    if version is None and asked is None and "label" not in call.parameters:
        return json_answer(status((await call.scoring.versions.numbers())[::-1]))
    return json_answer(status([(await call.scoring.versions.predictor(version)).version]))


async def _metadata(call: Call) -> ProtocolAnswer:
    version = await _known_version(call, _asked_version(call))
    return json_answer(metadata((await call.scoring.versions.predictor(version)).version))


async def _list_models(call: Call) -> ProtocolAnswer:
    return json_answer({"models": [MODEL]})


async def _not_implemented(call: Call) -> ProtocolAnswer:
    method = call.scope["path"].rpartition(":")[2][:20]
    raise ProtocolError(501, f"{method} is not implemented: the network answers :predict; POST /explain explains")


def _malformed(method: str, path: str) -> ProtocolError:
    return ProtocolError(400, f"Malformed request: {method} {shown_path(path)}")


def _asked_version(call: Call) -> int | None:
    """Return the version in the path, as it stands there; None: there is none.

    Raises:
        ProtocolError: it is no number, or one of more than 64 bits.
    """
    text = call.parameters.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise _malformed(call.scope["method"], call.scope["path"])
    if len(text) > len(str(MAX_VERSION)) or int(text) > MAX_VERSION:
        raise ProtocolError(400, f"Failed to convert version: {text[:40]} to numeric.")
    return int(text)


async def _known_version(call: Call, asked: int | None) -> int | None:
    """Return the version to answer with; None: the one that is served.

    Raises:
        ProtocolError: there is no such model, version or label.
        UnavailableError: it is not loaded.
    """
    model, label = call.parameters["model"], call.parameters.get("label", STABLE)
    servable = f"Latest({model[:100]})" if asked is None else f"Specific({model[:100]}, {asked})"
    if model != MODEL:
        raise ProtocolError(404, f"Servable not found for request: {servable}")
    if label != STABLE:
        raise ProtocolError(400, f"Unrecognized servable version label: {label[:100]}")
    version = None if asked == SERVED else asked
    try:
        await call.scoring.versions.predictor(version)
    except UnknownVersionError as error:
        raise ProtocolError(404, f"Servable not found for request: {servable}") from error
    return version


_MODEL_PARAMETER = path_parameter("model", "the name of the model", MODEL)
_VERSION_PARAMETER = path_parameter("version", "a version of GET /versions; 0: the one that is served", "0")
_LABEL_PARAMETER = path_parameter("label", f"`{STABLE}`: the version that is served", STABLE)
_BODIES: dict[str, Any] = {
    "one image of a 1, in rows": {"instances": [STROKE]},
    "the same in columns": {"signature_name": DEFAULT_SIGNATURE, "inputs": {"images": [STROKE]}},
}
SCORES_EXAMPLE = [[0.001, 0.991, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001]]
_TAG = "tensorflow serving v1"


def _routes() -> list[ProtocolRoute]:
    routes = [
        ProtocolRoute(
            "GET",
            "/v1/models",
            _list_models,
            operation("v1_models", _TAG, "List the models, as KServe does", example={"models": [MODEL]}),
        )
    ]
    for infix, suffix, parameters in (
        ("", "", (_MODEL_PARAMETER,)),
        ("/versions/{version}", "_version", (_MODEL_PARAMETER, _VERSION_PARAMETER)),
        ("/labels/{label}", "_label", (_MODEL_PARAMETER, _LABEL_PARAMETER)),
    ):
        routes += _model_routes(f"/v1/models/{{model}}{infix}", suffix, parameters)
    return routes


def _model_routes(path: str, suffix: str, parameters: tuple[dict[str, Any], ...]) -> list[ProtocolRoute]:
    return [
        ProtocolRoute(
            "POST",
            f"{path}:predict",
            _predict,
            operation(
                f"v1_predict{suffix}",
                _TAG,
                "Read the digits on images",
                example={"predictions": SCORES_EXAMPLE},
                description=(
                    "`instances` (answered by `predictions`) or `inputs` (`outputs`): integers 0 to 255 or floats 0 to "
                    "1 in the shapes [n, 784], [n, 28, 28], [n, 28, 28, 1] and [n, 1, 28, 28], or image files in "
                    'Base64 as `{"b64": "..."}`, with `"parameters": {"fit": "mnist"}` of any size. The Content-Type '
                    "does not matter."
                ),
                statuses=(400, 404),
                parameters=parameters,
                bodies=_BODIES,
            ),
        ),
        ProtocolRoute(
            "GET",
            path,
            _status,
            operation(
                f"v1_status{suffix}",
                _TAG,
                "Answer which versions are available",
                example=status([1]),
                statuses=(400, 404),
                parameters=parameters,
            ),
        ),
        ProtocolRoute(
            "GET",
            f"{path}/metadata",
            _metadata,
            operation(
                f"v1_metadata{suffix}",
                _TAG,
                "Describe the signatures of the model",
                example=metadata(1),
                statuses=(400, 404),
                parameters=parameters,
            ),
        ),
        *(ProtocolRoute("POST", f"{path}:{method}", _not_implemented) for method in ("classify", "regress", "explain")),
    ]
