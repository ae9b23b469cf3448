"""Examples of the answers, by the name of their schema."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel

from app.schemas import (
    ActivatingImage,
    ActivatingImages,
    Comparison,
    CorrectionDetail,
    CorrectionList,
    CorrectionsAdded,
    CorrectionsDeleted,
    Live,
    MisreadImage,
    MisreadImages,
    ProblemKind,
    PromotionDetail,
    PromotionList,
    Ready,
    RecentError,
    RecentErrors,
    RunDetail,
    RunList,
    RunProgress,
    RunStage,
    RunSummary,
    ServedMetrics,
    ServedVersionDetail,
    VersionDetail,
    VersionList,
)
from app.search_schemas import SearchDetail, SearchList, SearchSummary, TrialDetail
from inkling.digit import DIGIT_NAMES, NUM_CLASSES, SIDE
from inkling.network.evaluation import Evaluation, evaluate
from inkling.network.recipe import TUTORIAL

_BLANK = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAA"
    "BXZoBIAAAAEElEQVR42mNgGAWjYBQQAwADLAAB1wvpfAAAAABJRU5ErkJggg=="
)
"""28x28 background pixels."""
_DIGEST = "b28ffd62322fb402828e41f6e89b2ae2fe02f008eed8023a7b7aeea6a1c199f4"


def answer_examples() -> dict[str, dict[str, Any]]:
    """Return the name of a schema -> an example of it. All are of one run, whose version 2 was promoted."""
    run, version, promotion = _run(), _version(), _promotion()
    summary = RunSummary.model_validate(run.model_dump())
    metrics = ServedMetrics(
        **_evaluation().model_dump(),
        version=2,
        digest=_DIGEST,
        dataset="mnist",
        classes=[*DIGIT_NAMES],
        fit="mnist",
        measured_by="trainer",
        refused=None,
    )
    search = _search()
    examples: tuple[BaseModel, ...] = (
        run,
        summary,
        run.progress[0],
        RunList(items=[summary], next=None),
        search,
        SearchList(items=[SearchSummary.model_validate(search.model_dump(exclude={"ranking"}))], next=None),
        version,
        ServedVersionDetail(**version.model_dump(), promotion=2),
        VersionList(items=[version], next=None),
        promotion,
        PromotionList(items=[promotion], next=None),
        metrics,
        _correction(),
        CorrectionsAdded(items=[_correction()]),
        CorrectionList(items=[_correction()], next=None),
        CorrectionsDeleted(deleted=3),
        Live(),
        Ready(version=2, refused=None, registry_age_s=0.25, stale=None),
        MisreadImages(images=982, count=1, items=[_misread()]),
        ActivatingImages(images=60_000, items=[ActivatingImage(index=31, image=_BLANK, label=4, activation=0.998)]),
        RecentErrors(items=[_error()]),
        ProblemKind(title="No such run", status=404, meaning="There is no run of this id."),
    )
    return {type(example).__name__: example.model_dump(mode="json") for example in examples}


def event_stream_example() -> str:
    """Return the stream of a run that has ended."""
    run = _run()
    progress = run.progress[0].model_dump_json()
    summary = RunSummary.model_validate(run.model_dump()).model_dump_json()
    return f"event: progress\ndata: {progress}\nid: {run.step}\n\nevent: end\ndata: {summary}\n\n"


def _misread() -> MisreadImage:
    contributions = np.zeros((SIDE, SIDE))
    contributions[6:10, 8:20] = 0.5
    return MisreadImage(index=2130, image=_BLANK, confidence=0.972, contributions=contributions.tolist())


def _error() -> RecentError:
    return RecentError(
        at=_at(12),
        request_id="ff2dd49dc00b461b",
        method="GET",
        route="/train/{run_id}",
        status=404,
        problem="no-such-run",
    )


def _run() -> RunDetail:
    progress = RunProgress(
        step=3000, loss=61.4, accuracy=0.9375, validation_accuracy=0.9402, elapsed_s=4.2, validation_loss=0.2104
    )
    return RunDetail(
        id=1,
        state="succeeded",
        recipe=TUTORIAL,
        promote="if_better",
        requested_at=_at(0),
        started_at=_at(6),
        finished_at=_at(12),
        step=3000,
        total_steps=3000,
        attempt=1,
        error_type=None,
        error=None,
        decision=_promotion().reason,
        version=2,
        trouble=None,
        preparing=None,
        dataset=None,
        stages=[
            RunStage(name="reading images", started_at=_at(6)),
            RunStage(name="starting TensorFlow", started_at=_at(7)),
            RunStage(name="compiling", started_at=_at(9)),
            RunStage(name="training", started_at=_at(10)),
            RunStage(name="measuring", started_at=_at(11)),
        ],
        progress=[progress],
    )


def _search() -> SearchDetail:
    trial = TrialDetail(
        trial=1,
        run=1,
        state="succeeded",
        values={"learning_rate": 0.00304},
        step=3000,
        total_steps=3000,
        scored_at=3000,
        validation_loss=0.2104,
        validation_accuracy=0.9402,
        interval_95=(0.9333, 0.9464),
        error=None,
        version=2,
    )
    return SearchDetail(
        id=1,
        name="rates",
        state="running",
        recipe=TUTORIAL,
        space={"learning_rate": "log:0.001..0.01"},
        trials=40,
        generation=4,
        seed=0,
        dataset=None,
        requested_at=_at(0),
        finished_at=None,
        error=None,
        ranking=[trial],
    )


def _version() -> VersionDetail:
    return VersionDetail(
        version=2,
        run_id=1,
        digest=_DIGEST,
        size_bytes=546_896,
        created_at=_at(12),
        origin="run",
        evaluation=_evaluation(),
        measured_by="trainer",
        dataset="mnist",
        classes=[*DIGIT_NAMES],
    )


def _promotion() -> PromotionDetail:
    comparison = Comparison(
        images=5000,
        candidate_correct=4701,
        served_correct=4650,
        candidate_only_correct=90,
        served_only_correct=39,
        p_value=0.000004,
        worst_digit=5,
        worst_digit_change=-0.004,
        people=None,
    )
    return PromotionDetail(
        id=2,
        version=2,
        promoted_at=_at(12),
        policy="if_better",
        reason="better on 90 held-out images, worse on 39",
        is_promoted=True,
        compared_with=1,
        comparison=comparison,
    )


def _correction() -> CorrectionDetail:
    return CorrectionDetail(
        id=1,
        label="7",
        version=2,
        digit=1,
        confidence=0.61,
        is_correct=False,
        source="anna",
        created_at=_at(30),
        image="data:image/png;base64,iVBORw0KGgo=",
    )


def _evaluation() -> Evaluation:
    """Of a hundred images, of which one 7 is read as a 9."""
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.uint8), 10)
    read = labels.copy()
    read[70] = 9
    return evaluate(np.where(read[:, np.newaxis] == np.arange(NUM_CLASSES), 0.91, 0.01).astype(np.float32), labels)


def _at(second: int) -> datetime:
    return datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)
