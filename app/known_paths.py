"""The paths of an application: which one somebody meant, and which methods one takes."""

import difflib
import re

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

MAX_COMPARED = 100
"""Longer paths are compared by their start: comparing takes the product of the lengths."""


def nearest_path(app: FastAPI, path: str) -> str | None:
    """Return the path that was probably meant: another case, more or fewer slashes, or a typo in a fixed path."""
    plain = re.sub("/{2,}", "/", path[:1000]).rstrip("/")
    methods = _methods_of_paths(app)
    for candidate in (plain, plain.lower()):
        if candidate != path and any(_matches(template, candidate) for template in methods):
            return shown_path(candidate)
    fixed = [template for template in methods if "{" not in template]
    return next(iter(difflib.get_close_matches(plain[:MAX_COMPARED].lower(), fixed, n=1, cutoff=0.75)), None)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Return the methods that a route's path takes, over all routes that share it; HEAD wherever GET is."""
    methods = _methods_of_paths(app).get(path, set())
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _methods_of_paths(app: FastAPI) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        path, methods = getattr(context, "path_format", None), getattr(context, "methods", None)
        if path and methods:
            found.setdefault(path, set()).update(methods)
    return found


def _matches(template: str, path: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None


def shown_path(path: str) -> str:
    """Return a path for an error message, cut short."""
    return path if len(path) <= MAX_COMPARED else f"{path[:MAX_COMPARED]}..."
