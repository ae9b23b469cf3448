"""POST /v2/models/{model}/infer: images in, scores and digits out."""

from app.protocols.calls import Call, ProtocolAnswer
from app.protocols.open_inference_v2_answer import encode_answer
from app.protocols.open_inference_v2_models import model_of, version_of
from app.protocols.open_inference_v2_request import InferRequest, read_request
from app.protocols.open_inference_v2_statistics import Statistics, Timing
from app.serving.client_presence import while_connected
from app.serving.inference import INLINE_IMAGES
from inkling.predictor import Predictions

PROTOCOL = "open_inference_v2"
"""Its name in the metrics."""


class Infer:
    """Answers inference, and counts it."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    async def handle(self, call: Call) -> ProtocolAnswer:
        """Read the images of a request, in JSON or binary, and answer as it asks.

        Raises:
            InklingError: the request is wrong, or there is no such model or version, or no room.
        """
        model, version = model_of(call), version_of(call)
        predictor = await call.scoring.versions.predictor(version)
        with Timing(self._statistics, (model, predictor.version)) as timing:
            body = await call.body()
            timing.note_received()
            request = await call.parsed(read_request, body, call.header(b"inference-header-content-length"), model)
            timing.note_read()
            predictions = await _score(call, request, version)
            timing.note_scored()
            timing.images = len(predictions.probabilities)
            request_id: str = request.id if request.id is not None else call.scope["request_id"]
            return encode_answer(predictions, model, request_id, request.outputs)


async def _score(call: Call, request: InferRequest, version: int | None) -> Predictions:
    scoring, images = call.scoring, request.images
    if isinstance(images, list):
        work = scoring.score_files(images, PROTOCOL, fit=request.fit, version=version)
        return await while_connected(call.receive, work)
    if len(images) <= INLINE_IMAGES:
        return await scoring.score_pixels(images, PROTOCOL, version)
    return await while_connected(call.receive, scoring.score_pixels(images, PROTOCOL, version))
