"""Direct answers: small predictions by the HTTP protocol itself, without a task, ASGI's messages, and middlewares."""

import time
from typing import Any

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware

from app.admission.admission import Admission
from app.connections.cycle import Cycle
from app.connections.protocol import QUICK_BYTES
from app.fast.predict_route import PredictRoute, read_headers
from app.observability.metrics import Metrics
from app.observability.middleware import RequestMiddleware
from app.observability.request_head import RequestHead
from app.serving.inference import Inference
from app.settings import Settings
from inkling.tracing import TRACING


class DirectAnswers:
    """Answers what takes no time and succeeds of POST /predict, with the bytes of `RequestMiddleware` and its route.

    Every other request is left to the application, as if nothing had happened: it knows what is wrong.

    Args:
        inference: that answers.
        metrics: that count the requests.
        admission: of requests, without a limit on the rate of clients.
    """

    def __init__(self, inference: Inference, metrics: Metrics, admission: Admission) -> None:
        self._inference = inference
        self._metrics = metrics
        self._admission = admission
        self._route = PredictRoute()

    @classmethod
    def for_app(
        cls, app: FastAPI, settings: Settings, metrics: Metrics, admission: Admission
    ) -> "DirectAnswers | None":
        """Return the direct answers of an application; None: each request has to be seen, logged, traced, or counted.

        Args:
            app: the application, started.
            settings: of it.
            metrics: of it.
            admission: of its requests.
        """
        sees_all = (
            settings.access_log
            or settings.max_body_bytes < QUICK_BYTES
            or admission.rate is not None
            or TRACING.is_on
            or not _has_only_own_layers(app)
        )
        return None if sees_all else cls(app.state.inference, metrics, admission)

    def takes(self, scope: Any) -> bool:
        """Return whether a request may be answered here, by its method and its path."""
        return self._route.takes(scope)

    def answer(self, cycle: Cycle) -> bool:
        """Answer a request whose body has come; return False if the application has to."""
        started = time.perf_counter()
        scope: Any = cycle.scope  # of the same keys as ASGI's other one
        head = RequestHead(scope["headers"])
        if head.encoding:
            return False
        try:
            self._admission.check(scope, head.host)
            answer = self._inference.predict_at_once(bytes(cycle.body), *read_headers(scope), plain_only=True)
        except Exception:  # of any kind: the application answers it, and logs it
            return False
        if answer is None:
            return False
        head.add_to(answer.headers)
        cycle.answer_at_once(answer.headers, answer.content)
        scope["at_write"](self._metrics.observe, ("POST", self._route.path, 200, time.perf_counter() - started))
        return True


def _has_only_own_layers(app: FastAPI) -> bool:
    """Return whether only the framework's own layers surround `RequestMiddleware`; others have to see every request."""
    layer: Any = app.middleware_stack
    while not isinstance(layer, RequestMiddleware):
        is_own = isinstance(layer, ServerErrorMiddleware) or type(layer).__module__.startswith("fastapi.")
        if not is_own:
            return False
        layer = layer.app
    return True
