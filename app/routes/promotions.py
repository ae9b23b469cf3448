"""GET /promotions: which version was served since when, and why."""

from fastapi import APIRouter

from app.dependencies import Before, Injected, Limit
from app.errors import FieldError
from app.openapi import problems
from app.schemas import PromotionDetail, PromotionList

router = APIRouter(tags=["versions"])


@router.get("/promotions", responses=problems(FieldError, instance="/promotions"))
def list_promotions(services: Injected, limit: Limit = 20, before: Before = None) -> PromotionList:
    """List the promotions, newest first: the first one names the version being served."""
    promotions = services.registry.versions.promotions(limit, before)
    return PromotionList(
        items=[PromotionDetail.model_validate(promotion) for promotion in promotions],
        next=promotions[-1].id if len(promotions) == limit else None,
    )
