"""GET /train/{id}/weights: what the first hidden layer of a run has learned so far."""

from contextlib import suppress
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Response
from numpy.typing import NDArray
from starlette.status import HTTP_204_NO_CONTENT

from app.api_route import ApiRoute
from app.dependencies import RegistryDep, RunId
from app.errors import FieldError
from app.openapi import BINARY, headers, problems
from inkling.errors import CheckpointError, UnknownRunError, UnknownVersionError
from inkling.network import checkpoint
from inkling.registry.records import MAX_ID
from inkling.registry.registry import Registry

router = APIRouter(route_class=ApiRoute, tags=["train"])

LARGEST = 127
WEIGHTS, AVERAGES = "weights/h1", "averages/weights/h1"


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
    """Show the weights of the first hidden layer: of a run that is trained, of its last snapshot, some seconds old.

    Of a run that succeeded they are those of its version. A weight w is the byte round(127 w / `X-Largest-Weight`).
    """
    found = _newest(registry, run_id)
    if found is None or found[0] <= after:
        return Response(status_code=HTTP_204_NO_CONTENT)
    step, weights = found
    largest = float(np.abs(weights).max()) or 1.0
    content = np.rint(weights.T * (LARGEST / largest)).astype(np.int8).tobytes()  # (128, 784)
    described = {"X-Step": str(step), "X-Largest-Weight": f"{largest:.6g}"}
    return Response(content, media_type="application/octet-stream", headers=described)


def _newest(registry: Registry, run_id: int) -> tuple[int, NDArray[np.float32]] | None:
    """Return the last step of a run whose weights are known, and they (784, 128); None if there are none."""
    run = registry.runs.get(run_id)
    with suppress(CheckpointError, UnknownVersionError):  # damaged, or deleted
        if snapshot := registry.runs.snapshot(run_id):
            tensors = checkpoint.read_tensors(snapshot.state)
            weights = tensors.get(AVERAGES, tensors.get(WEIGHTS))
            if weights is not None and weights.shape == checkpoint.SHAPES[WEIGHTS]:
                return snapshot.step, weights
        elif run.version is not None:
            content = registry.versions.checkpoint(run.version)
            return run.total_steps, checkpoint.load(content).parameters[WEIGHTS]
    return None
