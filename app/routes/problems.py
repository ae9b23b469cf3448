"""GET /problems: the meaning of each kind of error; the `type` of a problem is a path here."""

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from app.api_route import ApiRoute
from app.errors import TABLE, slug
from app.schemas import ProblemKind

router = APIRouter(route_class=ApiRoute, prefix="/problems", tags=["problems"])


def _meaning(cls: type[Exception]) -> str | None:
    return None if cls is SQLAlchemyError else cls.__doc__  # its docstring is SQLAlchemy's


_KINDS = {
    slug(title): ProblemKind(title=title, status=status, meaning=_meaning(cls) or title)
    for cls, (status, title) in TABLE.items()
}


@router.get("")
async def list_problems() -> list[ProblemKind]:
    """List the kinds of errors of this service."""
    return list(_KINDS.values())


@router.get("/{name}", include_in_schema=False)
async def get_problem(name: str) -> ProblemKind:
    if name not in _KINDS:
        raise HTTPException(404)
    return _KINDS[name]
