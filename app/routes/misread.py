"""GET /versions/{version}/misread: the test images behind a cell of the confusion matrix."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api_route import ApiRoute
from app.dependencies import MisreadDep, VersionNumber
from app.errors import FieldError, UnavailableError
from app.openapi import problems
from app.schemas import MisreadImage, MisreadImages
from app.serving.png_data_uri import png_data_uri
from inkling.errors import DatasetError, UnknownVersionError

router = APIRouter(route_class=ApiRoute, prefix="/versions", tags=["versions"])

DECIMALS = 3
"""Of contributions, in nats: they are shown as colors."""


@router.get(
    "/{version}/misread",
    responses=problems(UnknownVersionError, FieldError, UnavailableError, DatasetError, instance="/versions/7/misread"),
)
async def list_misread_images(
    version: VersionNumber,
    finder: MisreadDep,
    true: Annotated[int, Query(ge=0, le=9, description="the digit that the images show", examples=[4])],
    predicted: Annotated[int, Query(ge=0, le=9, description="the digit that the version reads", examples=[9])],
) -> MisreadImages:
    """Show the test images of one digit that a version reads as another one, the surest first, at most 20.

    They are those of the files that this server has: MNIST's, in INKLING_MNIST_DIR or in its data directory. If another
    process measured the version on other files, the numbers differ from its confusion matrix.
    """
    found = await finder.find(version, true, predicted)
    return MisreadImages(
        images=found.images,
        count=found.count,
        items=[
            MisreadImage(
                index=item.index,
                image=png_data_uri(item.image),
                confidence=item.confidence,
                contributions=item.contributions.round(DECIMALS).tolist(),
            )
            for item in found.items
        ],
    )
