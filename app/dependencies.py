"""The dependencies that routes name by type: `registry: RegistryDep`. The lifecycle sets each in the app's state."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import Depends, Path, Query, Request

from app.errors import UnavailableError
from app.observability.exposition import Exposition
from app.observability.metrics import Metrics
from app.serving.activating_images import ActivatingImageFinder
from app.serving.current_version import CurrentVersion
from app.serving.exports import Exports
from app.serving.feedback import Feedback
from app.serving.inference import Inference
from app.serving.misread import MisreadFinder
from app.serving.run_feeds import RunFeeds
from app.serving.trainers import Trainers
from app.settings import Settings
from inkling.predictor import Fit, Predictor
from inkling.registry.records import MAX_ID
from inkling.registry.registry import Registry


def _from_state(name: str) -> Callable[[Request], Awaitable[Any]]:
    async def get(request: Request) -> Any:  # async: FastAPI would run a plain function in a thread, for 100 us
        return getattr(request.app.state, name)

    return get


async def get_predictor(request: Request) -> Predictor:
    """Return the predictor of the version being served.

    Raises:
        UnavailableError: none is loaded yet.
    """
    version: CurrentVersion = request.app.state.current_version
    return version.predictor


async def get_ready_version(request: Request) -> CurrentVersion:
    """Return the version being served, for the probes.

    Raises:
        UnavailableError: none is loaded yet, or the server stops.
    """
    if request.app.state.stopping.is_set():
        raise UnavailableError("the server stops: send requests to another one")
    version: CurrentVersion = request.app.state.current_version
    _ = version.served
    return version


SettingsDep = Annotated[Settings, Depends(_from_state("settings"))]
RegistryDep = Annotated[Registry, Depends(_from_state("registry"))]
CurrentVersionDep = Annotated[CurrentVersion, Depends(_from_state("current_version"))]
ReadyVersionDep = Annotated[CurrentVersion, Depends(get_ready_version)]
PredictorDep = Annotated[Predictor, Depends(get_predictor)]
ExportsDep = Annotated[Exports, Depends(_from_state("exports"))]
RunFeedsDep = Annotated[RunFeeds, Depends(_from_state("run_feeds"))]
TrainersDep = Annotated[Trainers, Depends(_from_state("trainers"))]
FeedbackDep = Annotated[Feedback, Depends(_from_state("feedback"))]
ExpositionDep = Annotated[Exposition, Depends(_from_state("exposition"))]
ActivatingImagesDep = Annotated[ActivatingImageFinder, Depends(_from_state("activating_images"))]
MisreadDep = Annotated[MisreadFinder, Depends(_from_state("misread"))]
MetricsDep = Annotated[Metrics, Depends(_from_state("metrics"))]
InferenceDep = Annotated[Inference, Depends(_from_state("inference"))]
UploadingDep = Annotated[CapacityLimiter, Depends(_from_state("uploading"))]
"""Limits the uploads that are measured at the same time to one: each takes 100 MB."""

RunId = Annotated[int, Path(ge=1, le=MAX_ID, description="the number of the run", examples=[1])]
VersionNumber = Annotated[int, Path(ge=1, le=MAX_ID, description="the number of the version", examples=[1])]
PageSize = Annotated[int, Query(alias="limit", ge=1, le=100, description="maximum number of items in the answer")]
PageCursor = Annotated[int | None, Query(alias="before", ge=1, le=MAX_ID, description="only items older than this one")]
FitMode = Annotated[
    Fit,
    Query(
        description="`strict`: 28x28, light digit on a dark background; "
        "`mnist`: any picture of one digit, normalized as MNIST's digits were"
    ),
]
