"""GET /problems: what each kind of error means; the `type` of a problem leads here."""

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from app.errors import TABLE, slug
from app.schemas import ProblemKind

router = APIRouter(prefix="/problems", tags=["problems"])


def _meaning(cls: type[Exception]) -> str | None:
    return None if cls is SQLAlchemyError else cls.__doc__  # its words are not ours


_KINDS = {
    slug(title): ProblemKind(title=title, status=status, meaning=_meaning(cls) or title)
    for cls, (status, title) in TABLE.items()
}


@router.get("")
async def list_problems() -> list[ProblemKind]:
    """List every kind of error that this service answers with."""
    return list(_KINDS.values())


@router.get("/{name}", include_in_schema=False)
async def get_problem(name: str) -> ProblemKind:
    if name not in _KINDS:
        raise HTTPException(404)
    return _KINDS[name]
