"""The commands of `inkling`. Each is imported when it runs, so `inkling --help` and completion load none of them."""

import gc
from importlib import import_module
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_group

SERVE, READ, VERSIONS, REGISTRY = "Serve and train", "Read images", "Versions", "Registry"

COMMANDS = {
    "serve": (SERVE, "app.cli.serve", "Serve the network over HTTP"),
    "train": (SERVE, "app.cli.training", "Train the network in this terminal"),
    "worker": (SERVE, "app.cli.training", "Train the runs that are queued in the registry"),
    "search": (SERVE, "app.cli.search", "Search for the best values of a recipe"),
    "searches": (SERVE, "app.cli.search", "List the searches, and cancel one"),
    "predict": (READ, "app.cli.images", "Read the digits on image files"),
    "read": (READ, "app.cli.numbers", "Read the numbers on image files"),
    "explain": (READ, "app.cli.images", "Draw which pixels support a digit, and which oppose it"),
    "evaluate": (READ, "app.cli.evaluate", "Measure the accuracy on the MNIST test images"),
    "versions": (VERSIONS, "app.cli.registry", "List the versions, newest first"),
    "promote": (VERSIONS, "app.cli.registry", "Serve a version from now on"),
    "delete": (VERSIONS, "app.cli.registry", "Delete a version and its file"),
    "export": (VERSIONS, "app.cli.export", "Write a version as a file that runs without Inkling"),
    "import": (VERSIONS, "app.cli.registry", "Add a checkpoint file as a version"),
    "feedback": (VERSIONS, "app.cli.feedback", "Look after the corrections: list, export, import, delete"),
    "verify": (REGISTRY, "app.cli.registry", "Check that the registry is consistent"),
    "prune": (REGISTRY, "app.cli.upkeep", "Delete what the settings do not keep"),
    "backup": (REGISTRY, "app.cli.upkeep", "Write the registry to a file, while it serves"),
    "restore": (REGISTRY, "app.cli.upkeep", "Replace the registry with a backup"),
    "move": (REGISTRY, "app.cli.upkeep", "Copy the registry to another database"),
}
"""Name -> group in the help, module whose `commands` has it, and short help."""


class Command(TyperCommand):
    """A command with plain help text: one section for each `rich_help_panel` of its options."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, TyperArgument):
                name = f"{parameter.metavar or parameter.name}{'' if parameter.nargs == 1 else '...'}"
                sections.setdefault("Arguments", []).append((name, parameter.help or ""))
            elif isinstance(parameter, TyperOption) and (record := parameter.get_help_record(ctx)):
                sections.setdefault(parameter.rich_help_panel or "Options", []).append(record)
        _write_sections(sections, formatter)


class LazyCommand(TyperCommand):
    """A command of another module, which is imported when the command runs or completes its arguments."""

    def __init__(self, name: str, module: str, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        gc.disable()  # collections among the objects of the imports take 50 ms, and free nothing
        try:
            commands = get_group(import_module(self._module).commands).commands
        finally:
            gc.freeze()
            gc.enable()
        return commands[self.name or ""].make_context(info_name, args, parent, **extra)


class CommandGroup(TyperGroup):
    """All commands of `inkling`, in the groups of COMMANDS."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (group, module, short_help) in COMMANDS.items():
            self.add_command(LazyCommand(name, module, short_help=short_help, rich_help_panel=group))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, (group, _, short_help) in COMMANDS.items():
            sections.setdefault(group, []).append((name, short_help))
        _write_sections(sections, formatter)


def _write_sections(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    for heading, rows in sections.items():
        with formatter.section(heading):
            formatter.write_dl(rows)
