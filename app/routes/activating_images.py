"""GET /versions/{version}/units/{layer}/{unit}: the training images that excite a hidden unit most."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api_route import ApiRoute
from app.dependencies import ActivatingImagesDep, VersionNumber
from app.errors import FieldError, TrainingImagesError, UnavailableError
from app.openapi import problems
from app.schemas import ActivatingImage, ActivatingImages
from app.serving.png_data_uri import png_data_uri
from inkling.errors import UnknownVersionError
from inkling.network.activating_images import UNITS

router = APIRouter(route_class=ApiRoute, prefix="/versions", tags=["versions"])

DECIMALS = 6
"""Of activations."""


@router.get(
    "/{version}/units/{layer}/{unit}",
    responses=problems(
        UnknownVersionError, FieldError, UnavailableError, TrainingImagesError, instance="/versions/7/units/1/0"
    ),
)
async def list_activating_images(
    version: VersionNumber,
    layer: Annotated[
        int,
        Path(
            ge=1, le=len(UNITS), description="1: the 128 units behind the pixels; 2: the 256 behind them", examples=[1]
        ),
    ],
    unit: Annotated[int, Path(ge=0, lt=max(UNITS), description="the unit, from 0", examples=[0])],
    finder: ActivatingImagesDep,
) -> ActivatingImages:
    """Show the training images that excite a unit of a hidden layer most, the most exciting first, at most 8.

    They are those of the files that this server has: MNIST's, in INKLING_MNIST_DIR or in its data directory. The first
    question about a version reads all 60,000 images, in about a second; its other units are known from then on.
    """
    images, items = await finder.find(version, layer, unit)
    return ActivatingImages(
        images=images,
        items=[
            ActivatingImage(
                index=item.index,
                image=png_data_uri(item.image),
                label=item.label,
                activation=round(item.activation, DECIMALS),
            )
            for item in items
        ],
    )
