"""GET /promotions: the history of promotions."""

from fastapi import APIRouter

from app.api_route import ApiRoute
from app.dependencies import PageCursor, PageSize, RegistryDep
from app.errors import FieldError
from app.openapi import problems
from app.schemas import PromotionDetail, PromotionList

router = APIRouter(route_class=ApiRoute, tags=["versions"])


@router.get("/promotions", responses=problems(FieldError, instance="/promotions"))
def list_promotions(registry: RegistryDep, page_size: PageSize = 20, cursor: PageCursor = None) -> PromotionList:
    """List the decisions on promotions, newest first."""
    promotions = registry.versions.promotions(page_size, cursor)
    return PromotionList(
        items=[PromotionDetail.model_validate(promotion) for promotion in promotions],
        next=promotions[-1].id if len(promotions) == page_size else None,
    )
