"""GET /train/{id}/weights: what the first hidden layer of a run has learned so far."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.status import HTTP_204_NO_CONTENT

from app.api_route import ApiRoute
from app.dependencies import RegistryDep, RunId
from app.errors import FieldError
from app.openapi import BINARY, headers, problems
from inkling.errors import CheckpointError, UnknownRunError, UnknownVersionError
from inkling.network import checkpoint
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import MAX_ID
from inkling.registry.registry import Registry

router = APIRouter(route_class=ApiRoute, tags=["train"])


@router.get(
    "/train/{run_id}/weights",
    response_class=Response,
    responses={
        200: {
            "description": "128 units of 784 weights, int8",
            "content": {"application/octet-stream": {"schema": BINARY}},
            "headers": headers("X-Step", "X-Largest-Weight"),
        },
        HTTP_204_NO_CONTENT: {"description": "There are none yet, or none newer"},
        **problems(UnknownRunError, FieldError, instance="/train/7/weights"),
    },
)
def get_weights(
    run_id: RunId,
    registry: RegistryDep,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="a step: only weights of a later one are sent")] = 0,
) -> Response:
    """Show the weights of the first hidden layer: of a run that is trained, as they were a moment ago.

    Its trainer writes them after each display step, four times per second at most. Until it does, they are those of the
    run's last snapshot; of a run that succeeded, those of its version. A weight w is the byte
    round(127 w / `X-Largest-Weight`).
    """
    layer = _newest(registry, run_id)
    if layer is None or layer.step <= after:
        return Response(status_code=HTTP_204_NO_CONTENT)
    described = {"X-Step": str(layer.step), "X-Largest-Weight": f"{layer.largest:.6g}"}
    return Response(layer.content, media_type="application/octet-stream", headers=described)


def _newest(registry: Registry, run_id: int) -> FirstLayer | None:
    """Return the weights of a run after the last step of which they are known; None if there are none."""
    run = registry.runs.get(run_id)
    if layer := registry.runs.first_layer(run_id):
        return layer
    with suppress(CheckpointError, UnknownVersionError):  # damaged, or deleted
        if snapshot := registry.runs.snapshot(run_id):
            return FirstLayer.from_tensors(snapshot.step, checkpoint.read_tensors(snapshot.state))
        if run.version is not None:
            content = registry.versions.checkpoint(run.version)
            return FirstLayer.from_tensors(run.total_steps, checkpoint.load(content).parameters)
    return None
