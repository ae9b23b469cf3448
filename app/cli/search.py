"""`inkling search` and `searches`: search for the values of a recipe, by trials that are training runs."""

import importlib.util
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands import Command
from app.cli.failures import CommandError, UsageError, print_warning
from app.cli.parsers import integer
from app.cli.registry_access import open_existing_registry, open_registry
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.errors import RecipeError, SpaceError
from inkling.network.recipe import MAX_SEED, Recipe, RecipeName
from inkling.network.recipe_words import read_recipe
from inkling.registry.records import MAX_ID
from inkling.registry.search_records import (
    MAX_GENERATION,
    MAX_NAME,
    MAX_TRIALS,
    NAME,
    Search,
    SearchPlan,
    Trial,
    ranked,
)
from inkling.search_space import Space

if TYPE_CHECKING:
    from inkling.registry.registry import Registry

PAGE = 100
"""Searches per transaction."""
POLL_S = 0.5
SHOWN = 5
"""Trials in the table of the best so far."""

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings(
    "data_dir", "database_url", "mnist_dir", "dataset", "dataset_fit", "runs_at_once", "trainer_threads", "trainer"
)
def search(
    settings: Settings,
    *,
    space: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUES",
            help="Field to vary, and its values: FROM..TO; log:FROM..TO, evenly in the logarithm; int:FROM..TO, whole "
            "numbers; or '{A,B,C}', one of these. Repeatable.",
        ),
    ],
    recipe: Annotated[RecipeName, typer.Option(help="Recipe to start from.")] = "tutorial",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set a field for all trials; see `inkling train --help`. Repeatable."
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(metavar="NUMBER", parser=integer(1, MAX_TRIALS), help="Trials, each of which is a run.")
    ] = 20,
    generation: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=integer(1, MAX_GENERATION),
            help="Trials that are chosen together, from the scores of all before them; as many trainers can work.",
        ),
    ] = 4,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", parser=integer(0, MAX_SEED), help="Seed of the choice of the trials.")
    ] = 0,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Name of the search: the command goes on with the one that has it, or shows its end."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trials as JSON, one per line, at the end.")
    ] = False,
) -> int:
    """Search for the values of a recipe with which held-out images are read best. The test images take no part.

    Started again, the command goes on with its search, wherever it was stopped. No version is served by itself.
    """
    plan = _plan(recipe, overrides or [], space, settings, (trials, generation, seed))
    if name is not None and (len(name) > MAX_NAME or not re.fullmatch(NAME, name)):
        raise UsageError(f"--name {name[:100]!r}: 1 to {MAX_NAME} letters, digits, '.', '_' and '-' are expected")
    _require_packages(settings)
    with open_registry(settings) as registry:
        found = _started(registry, plan, name, settings)
        found = _follow(registry, found, settings, is_shown=not as_json)
        return _print_end(registry, found, as_json=as_json)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url")
def searches(
    settings: Settings,
    number: Annotated[
        int | None,
        typer.Argument(metavar="SEARCH", parser=integer(1, MAX_ID), help="number of a search, to see its trials"),
    ] = None,
    *,
    is_cancelled: Annotated[bool, typer.Option("--cancel", help="Cancel the search and its runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per search, or per trial.")] = False,
) -> int:
    """List the searches, newest first; or the trials of one, best first."""
    if is_cancelled and number is None:
        raise UsageError("--cancel needs the number of a search: inkling searches 3 --cancel")
    with open_existing_registry(settings) as registry:
        if number is None:
            for found in _all_searches(registry):
                print(_json_of(found) if as_json else _line(found))
            return 0
        found = registry.searches.cancel(number) if is_cancelled else registry.searches.get(number)
        if not as_json:
            print(_line(found))
        _print_trials(registry.searches.trials(found), as_json=as_json)
    return 0


def _plan(
    name: RecipeName, overrides: Sequence[str], words: Sequence[str], settings: Settings, size: tuple[int, int, int]
) -> SearchPlan:
    space: dict[str, str] = {}
    for word in words:
        field, equals, values = word.partition("=")
        if not equals or not field:
            raise UsageError(f"--space {word}: expected NAME=VALUES, such as learning_rate=log:0.001..0.01")
        if field in space:
            raise UsageError(f"--space {word}: {field} is named twice")
        space[field] = values
    try:
        recipe: Recipe = read_recipe(name, overrides)
        Space.read(space, recipe)
    except RecipeError as error:
        raise UsageError(str(error)) from error
    except SpaceError as error:
        raise UsageError(f"--space: {error}") from error
    return SearchPlan(recipe, space, *size, settings.dataset_name)


def _require_packages(settings: Settings) -> None:
    """Check that the trainers that this command starts can work.

    Raises:
        CommandError: TensorFlow or Optuna is not installed.
    """
    for package, extra in (("tensorflow", "train"), ("optuna", "search")):
        if settings.trainer == "process" and importlib.util.find_spec(package) is None:
            raise CommandError(
                f"{package} is not installed; run pip install '.[{extra}]' in the project's folder, or take "
                "--trainer external, if trainers that have it work on this registry"
            )


def _started(registry: "Registry", plan: SearchPlan, name: str | None, settings: Settings) -> Search:
    from inkling.registry.quota import VersionQuota  # noqa: PLC0415  SQLAlchemy, which usage errors save

    running = registry.searches.running_like(plan) if name is None else None
    if running:
        print(f"goes on with search {running.id}", file=sys.stderr)
        return running
    quota = VersionQuota(settings.max_versions, settings.max_versions_bytes)
    found, is_new = registry.searches.start(plan, name, settings.max_queued_runs, quota)
    print(f"search {found.id}" if is_new else f"search {found.id}, which is {found.state}", file=sys.stderr)
    return found


def _follow(registry: "Registry", search: Search, settings: Settings, *, is_shown: bool) -> Search:
    """Have a search's trials trained until it ends, and print the best ones after each generation."""
    from app.serving.trainers import Trainers  # noqa: PLC0415  as above

    trainers, shown = Trainers(settings, registry), 0
    try:
        while search.state == "running":
            trainers.ensure()
            time.sleep(POLL_S)
            search = registry.searches.get(search.id)
            trials = registry.searches.trials(search)
            ended = sum(trial.state not in ("queued", "running") for trial in trials)
            if is_shown and ended > shown and ended % search.plan.generation == 0:
                shown = ended
                print(f"{ended} of {search.plan.trials} trials, the best so far:")
                _print_table(ranked(trials)[:SHOWN])
    except KeyboardInterrupt:
        print_warning(f"search {search.id} is not finished: the same command goes on, `inkling searches` lists it")
        raise
    finally:
        trainers.stop()
    return search


def _print_end(registry: "Registry", search: Search, *, as_json: bool) -> int:
    trials = ranked(registry.searches.trials(search))
    if not as_json:
        print(_line(search))
    _print_trials(trials, as_json=as_json)
    if search.state == "succeeded" and trials[0].version and not as_json:
        print(f"`inkling promote {trials[0].version}` serves the version of trial {trials[0].number}")
    return 0 if search.state == "succeeded" else 1


def _print_trials(trials: Sequence[Trial], *, as_json: bool) -> None:
    if not as_json:
        _print_table(ranked(trials))
        return
    from app.search_schemas import TrialDetail  # noqa: PLC0415  only --json needs it

    for trial in ranked(trials):
        print(TrialDetail.of(trial).model_dump_json())


def _print_table(trials: Sequence[Trial]) -> None:
    fields = list(trials[0].values) if trials else []
    rows = [["trial", *fields, "cross-entropy", "accuracy", "95 % interval", "state", "version"]]
    for trial in trials:
        interval = trial.interval_95
        rows.append(
            [
                str(trial.number),
                *(f"{value:g}" if isinstance(value, float) else str(value) for value in trial.values.values()),
                "" if trial.validation_loss is None else f"{trial.validation_loss:.4f}",
                "" if trial.validation_accuracy is None else f"{trial.validation_accuracy:.4f}",
                f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "",
                f"pruned at step {trial.step}" if trial.state == "pruned" else trial.state,
                str(trial.version or ""),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _all_searches(registry: "Registry") -> Iterator[Search]:
    before = None
    while page := registry.searches.newest(PAGE, before):
        yield from page
        before = page[-1].id


def _line(search: Search) -> str:
    plan = search.plan
    space = " ".join(f"{field}={values}" for field, values in plan.space.items())
    reason = f": {search.error}" if search.error else ""
    return (
        f"search {search.id}  {search.name or ''}  {search.state}{reason}  {plan.trials} trials of {plan.recipe.name}  "
        f"{space}  {search.requested_at:%Y-%m-%d %H:%M}"
    )


def _json_of(search: Search) -> str:
    from app.search_schemas import SearchSummary  # noqa: PLC0415  only --json needs it

    return SearchSummary.of(search).model_dump_json()
