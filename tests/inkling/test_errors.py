import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import inkling
from inkling import errors
from inkling.errors import InklingError, QueueFullError, RegistryError


def modules() -> list[ModuleType]:
    """Return the modules of the library, but not the migrations, which only Alembic can import, nor that of Ray."""
    found = pkgutil.walk_packages(inkling.__path__, "inkling.", onerror=lambda name: None)
    names = [module.name for module in found]
    return [importlib.import_module(name) for name in names if ".migrations" not in name and "ray_data" not in name]


def exceptions_of(module: ModuleType) -> list[type[BaseException]]:
    return [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, BaseException) and value.__module__ == module.__name__
    ]


def test_every_exception_of_the_library_is_an_inkling_error() -> None:
    found = [(module.__name__, exception) for module in modules() for exception in exceptions_of(module)]
    assert len(found) > 10
    assert all(issubclass(exception, InklingError) for _, exception in found)
    assert {name for name, _ in found} == {"inkling.errors"}


def test_docstring_shows_the_tree_of_the_exceptions() -> None:
    # given: each line's class, and how deep it is
    lines = re.findall(r"^([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    path: list[str] = []
    shown = {}
    for indent, name in lines:
        depth = len(indent) // 4
        path[depth:] = [name]
        shown[name] = path[depth - 1] if depth else "Exception"
    # then
    assert shown == {exception.__name__: exception.mro()[1].__name__ for exception in exceptions_of(errors)}


@pytest.mark.parametrize(
    "name",
    [
        "UnknownRunError",
        "UnknownVersionError",
        "RunFinishedError",
        "QueueFullError",
        "PromotionMovedError",
        "IdempotencyKeyError",
        "LeaseLostError",
        "SchemaError",
    ],
)
def test_every_refusal_of_the_registry_is_a_registry_error(name: str) -> None:
    assert issubclass(getattr(errors, name), RegistryError)


def test_full_queue_says_when_to_try_again() -> None:
    error = QueueFullError("16 runs are queued already, the limit is 16", retry_after_s=12.5)
    assert (str(error), error.retry_after_s) == ("16 runs are queued already, the limit is 16", 12.5)
