"""POST /read: the numbers on pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api_route import ApiRoute
from app.dependencies import InferenceDep
from app.openapi import image_call
from app.serving.client_presence import while_connected
from inkling.vision.numbers.page import MAX_DIGITS

router = APIRouter(route_class=ApiRoute, tags=["predict"])


def _digit(digit: int, left: int, right: int) -> dict[str, Any]:
    return {
        "digit": digit,
        "confidence": 0.991,
        "probabilities": [0.991 if other == digit else 0.001 for other in range(10)],
        "is_digit": True,
        "digit_score": 0.99,
        "box": [left, 119, right, 276],
    }


_ANSWER: dict[str, Any] = {
    "version": 1,
    "text": "2.6",
    "lines": [
        {
            "picture": 1,
            "text": "2.6",
            "box": [73, 119, 560, 276],
            "digits": [_digit(2, 73, 176), _digit(6, 453, 560)],
            "marks": [{"mark": ".", "box": [300, 250, 320, 272]}],
        }
    ],
    "warnings": [],
}


@router.post(
    "/read",
    **image_call(
        "/read",
        model="Numbers",
        example=_ANSWER,
        description="The numbers, line by line, in the order of the pictures",
        other_media_types={},
    ),
    summary="Read the numbers on pictures",
    description=(
        "One or more pictures of any size with numbers on them, drawn or photographed, light on dark or dark on light, "
        "in any body that /predict accepts with fit=mnist. Returns the lines of each picture from top to bottom, and "
        "every digit from left to right. Decimal points and minus signs are distinguished from dust. Digits that touch "
        f"are divided where the network is surer of two than of one. At most {MAX_DIGITS} digits per picture; a "
        "picture without digits is a 422."
    ),
)
async def read(
    *,
    request: Request,
    inference: InferenceDep,
    return_image: Annotated[
        bool, Query(description="also return the 28x28 image of each digit that the network read")
    ] = False,
) -> Response:
    content_type = request.headers.get("content-type", "")
    work = inference.read(await request.body(), content_type, return_image=return_image)
    return (await while_connected(request.receive, work)).to_response()
