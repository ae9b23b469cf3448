"""The page's ES modules joined into one script, so that a browser asks for one file, not for thirty.

Each module becomes a function that is called once, after those that it imports, and returns what it exports. Modules
may import names, or a whole module, and export functions, classes and constants; everything else is refused.
"""

import re
from collections.abc import Mapping
from typing import Final

_IMPORT: Final = re.compile(r'^import\s+(?:(\{[^}]*\}|\*\s+as\s+\w+)\s+from\s+)?"\./([\w-]+\.js)";', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export\s+(?=(?:async\s+)?(?:function\*?|class|const)\s+(\w+))", re.MULTILINE)
_UNKNOWN: Final = re.compile(
    r"^(?:import|export|await)\b|^(?:const|let) .*= await\b|\bimport(?:\(|\.meta)", re.MULTILINE
)


class BundleError(Exception):
    """The modules cannot be joined."""


def join_modules(modules: Mapping[str, str], entry: str) -> str:
    """Return one script that does what the module `entry` does.

    Args:
        modules: the sources by file name, all in one folder.
        entry: the file name of the module that a browser would load.

    Raises:
        BundleError: a module is missing or of another form, or modules import each other in a circle.
    """
    joined: dict[str, str] = {}
    _add(modules, entry, (), joined)
    return "\n".join(joined.values())


def _add(modules: Mapping[str, str], name: str, importers: tuple[str, ...], joined: dict[str, str]) -> None:
    """Add a module behind those that it imports."""
    if name in joined:
        return
    if name in importers:
        raise BundleError(f"the page's modules import each other in a circle: {' > '.join((*importers, name))}")
    if name not in modules:
        raise BundleError(f"{importers[-1] if importers else 'the page'} imports {name}, which is not there")
    source = modules[name]
    for _, imported in _IMPORT.findall(source):
        _add(modules, imported, (*importers, name), joined)
    joined[name] = _as_function(name, source)


def _as_function(name: str, source: str) -> str:
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(_as_constant, source))
    unknown = _UNKNOWN.search(body)
    if unknown:
        line = body.count("\n", 0, unknown.start()) + 1
        raise BundleError(f"{name}, line {line}: the joiner of the page's modules does not know this form")
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"


def _as_constant(statement: re.Match[str]) -> str:
    """Return an import as constants, on as many lines."""
    names, imported = statement.groups()
    if names is None:
        return "\n" * statement[0].count("\n")
    if names.startswith("*"):
        return f"const {names.split()[-1]} = {_variable(imported)};"
    names = re.sub(r"\s+as\s+", ": ", names)
    return f"const {names} = {_variable(imported)};"


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js").replace("-", "_")
