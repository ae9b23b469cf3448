"""GET /train/{id}/events: a run's progress as server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from app.answer_examples import event_stream_example
from app.api_route import ApiRoute
from app.dependencies import RunFeedsDep, RunId
from app.errors import FieldError, OverloadedError
from app.openapi import problems
from app.serving.event_stream import EventStream
from inkling.errors import UnknownRunError
from inkling.registry.records import MAX_ID

router = APIRouter(route_class=ApiRoute, tags=["train"])

_STREAM = {
    "schema": {
        "description": "server-sent events; `data` of `progress` is a RunProgress, of `end` a RunSummary, of "
        "`preparing` and `stages` an object of that field, all in JSON",
    },
    "example": event_stream_example(),
}


@router.get(
    "/train/{run_id}/events",
    response_class=Response,
    responses={
        200: {"description": "The events", "content": {"text/event-stream": _STREAM}},
        **problems(UnknownRunError, FieldError, OverloadedError, instance="/train/7/events"),
    },
)
async def watch_run(
    run_id: RunId,
    feeds: RunFeedsDep,
    last_event_id: Annotated[
        str,
        Header(description="the last step received: only later ones are sent; what is not a step is ignored"),
    ] = "",
) -> Response:
    """Send a `progress` event for each recorded step, with the step as its id, then one `end` event with the run.

    Before the first step, a `preparing` event says what the trainer does, in words, whenever that changes. A `stages`
    event lists the stages of the run so far, with the time at which each began, whenever one begins.

    When the server stops, the stream ends without `end`: connect again with Last-Event-ID, as browsers do.
    """
    return EventStream(feeds.watch(run_id), _step(last_event_id))


def _step(last_event_id: str) -> int:
    """Return the step that a Last-Event-ID names, 0 if it names none: an EventSource cannot mend its own header."""
    if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= len(str(MAX_ID)):
        step = int(last_event_id)
        return step if step <= MAX_ID else 0
    return 0
