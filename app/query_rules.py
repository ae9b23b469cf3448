"""The query parameters of a call: each is known, and given once."""

import difflib
from collections import Counter
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from app.errors import MAX_ERRORS

MAX_NAME = 100
LENIENT_PATHS = frozenset(("/livez", "/readyz", "/ping"))
"""Probes take no parameters, so none can be meant; some load balancers append one of their own."""


@dataclass(frozen=True)
class QueryRules:
    known: frozenset[str]
    elsewhere: dict[str, str]
    """Fields and headers of the call, by name: where each belongs."""
    is_lenient: bool

    @classmethod
    def of(cls, dependant: Dependant) -> "QueryRules":
        """Return the rules of a route, from the parameters of its function and of its dependencies."""
        known, elsewhere = set[str](), dict[str, str]()
        for field in get_flat_params(dependant):
            place = getattr(getattr(field.field_info, "in_", None), "value", "")
            if place == "query":
                known.add(field.alias)
            elif place == "header":
                for name in (field.alias, field.alias.replace("-", "_")):
                    elsewhere[name.lower()] = f"send it as the header {field.alias}"
        for field in dependant.body_params:
            for name, path in _json_fields(field.field_info.annotation):
                elsewhere.setdefault(name.lower(), f"it belongs in the JSON body, as {path}")
        return cls(frozenset(known), elsewhere, dependant.path in LENIENT_PATHS)

    def check(self, request: Request) -> None:
        """Check the names of a request's query parameters.

        Raises:
            RequestValidationError: some are unknown, or given more than once.
        """
        if not request.scope["query_string"] or self.is_lenient:
            return
        pairs = request.query_params.multi_items()
        counts = Counter(name for name, _ in pairs)
        wrong = [name for name, count in counts.items() if count > 1 or name not in self.known]
        if wrong:
            values = dict(pairs)
            errors = [
                {"type": "query", "loc": ("query", name[:MAX_NAME]), "msg": message, "input": values[name]}
                for name, message in zip(wrong, self._messages(wrong, counts), strict=True)
            ]
            raise RequestValidationError(errors)

    def _messages(self, names: list[str], counts: Counter[str]) -> list[str]:
        """Return a message for each name that an answer shows, and empty ones beyond: comparing names takes time."""
        return [self._message(name, counts[name]) if i < MAX_ERRORS else "" for i, name in enumerate(names)]

    def _message(self, name: str, count: int) -> str:
        if name in self.known:
            return f"given {count} times, expected once"
        if place := self.elsewhere.get(name.lower()):
            return f"not a query parameter of this call; {place}"
        by_lower = {known.lower(): known for known in self.known}
        (nearest,) = difflib.get_close_matches(name.lower()[:MAX_NAME], by_lower, n=1, cutoff=0.5) or [""]
        if nearest:
            return f"not a query parameter of this call; did you mean {by_lower[nearest]}?"
        if self.known:
            return f"not a query parameter of this call, which takes {', '.join(sorted(self.known))}"
        return "not a query parameter of this call, which takes none"


def _json_fields(annotation: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return the fields of a model, and of the models in them: name, and path from the top."""
    if get_origin(annotation) in (Union, UnionType):
        return [field for member in get_args(annotation) for field in _json_fields(member, prefix)]
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    fields = [(name, f"{prefix}{name}") for name in annotation.model_fields]
    for name, field in annotation.model_fields.items():
        fields += _json_fields(field.annotation, f"{prefix}{name}.")
    return fields
