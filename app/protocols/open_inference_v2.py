"""The Open Inference Protocol, version 2, over REST: what Triton, KServe and MLServer speak, and their clients."""

import asyncio
from collections.abc import Callable
from typing import Any

from app.errors import ProtocolError
from app.protocols import open_inference_v2_documentation as documentation
from app.protocols.calls import Call, ProtocolAnswer, json_answer
from app.protocols.json_body import parse
from app.protocols.open_inference_v2_infer import Infer
from app.protocols.open_inference_v2_models import (
    MODELS,
    SERVER,
    configure_model,
    describe_model,
    index_models,
    model_of,
    version_of,
)
from app.protocols.open_inference_v2_statistics import Statistics
from app.protocols.router import Handler, ProtocolRoute, ProtocolRouter
from inkling.errors import InklingError

MEMORIES = ("system", "cuda")
"""The kinds of shared memory; Triton's example clients unregister regions of both before anything else."""


def router() -> ProtocolRouter:
    """Return the routes of the protocol, with counts of their own."""
    statistics = Statistics()
    return ProtocolRouter(
        ("/v2",),
        [
            *_server_routes(statistics),
            *_infer_routes(Infer(statistics).handle),
            *_model_routes(statistics),
            *_repository_routes(),
            *_shared_memory_routes(),
        ],
    )


async def _describe_server(call: Call) -> ProtocolAnswer:
    return json_answer(SERVER)


async def _live(call: Call) -> ProtocolAnswer:
    return json_answer({"live": True})


async def _ready(call: Call) -> ProtocolAnswer:
    try:
        await call.ready_predictor()
    except InklingError as error:
        answer = json_answer({"ready": False, "error": str(error)}, 503)
        return answer._replace(headers=[*answer.headers, (b"retry-after", b"5")])
    return json_answer({"ready": True})


async def _list_models(call: Call) -> ProtocolAnswer:
    return json_answer({"models": MODELS})


async def _model_ready(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await call.ready_predictor()
    await call.scoring.versions.predictor(version_of(call))
    return json_answer({"name": name, "ready": True})


async def _describe_model(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await call.scoring.versions.predictor(version_of(call))
    return json_answer(describe_model(name, await call.scoring.versions.numbers()))


async def _configure_model(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await call.scoring.versions.predictor(version_of(call))
    return json_answer(configure_model(name, call.scoring.inference.limits.max_images))


def _describe_statistics(statistics: Statistics) -> Handler:
    async def handle(call: Call) -> ProtocolAnswer:
        models = (model_of(call),) if "model" in call.parameters else MODELS
        asked = version_of(call)
        used = (await call.scoring.versions.predictor(asked)).version
        found = [
            statistics.describe(model, version)
            for model in models
            for version in sorted({used} if asked is not None else {used, *statistics.versions(model)})
        ]
        return json_answer({"model_stats": found})

    return handle


async def _index_repository(call: Call) -> ProtocolAnswer:
    await _object_of(call)
    return json_answer(index_models(await call.scoring.versions.numbers()))


async def _load(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await _object_of(call)
    await asyncio.to_thread(call.state.current_version.poll)  # every model is loaded; this one may be promoted just now
    return json_answer({"name": name, "load": True})


async def _refuse_unload(call: Call) -> ProtocolAnswer:
    name = model_of(call)
    await _object_of(call)
    raise ProtocolError(400, f"model '{name}' cannot be unloaded: this server has no other")


async def _list_regions(call: Call) -> ProtocolAnswer:
    return json_answer([])


async def _unregister_region(call: Call) -> ProtocolAnswer:
    await call.body()
    return ProtocolAnswer(b"", [])


async def _refuse_region(call: Call) -> ProtocolAnswer:
    await call.body()
    raise ProtocolError(400, "this server does not use shared memory; send tensors in the body")


async def _object_of(call: Call) -> dict[str, Any]:
    """Return the object that a body holds; an empty one for no body.

    Raises:
        ProtocolError: it holds something else.
        BodyError: it is not JSON.
    """
    body = await call.body()
    found = await call.parsed(parse, body) if body.strip() else {}
    if not isinstance(found, dict):
        raise ProtocolError(400, "the body is no object, expected {} or nothing")
    return found


def _server_routes(statistics: Statistics) -> list[ProtocolRoute]:
    return [
        ProtocolRoute("GET", "/v2", _describe_server, documentation.SERVER_CALL),
        ProtocolRoute("GET", "/v2/health/live", _live, documentation.LIVE_CALL),
        ProtocolRoute("GET", "/v2/health/ready", _ready, documentation.READY_CALL),
        ProtocolRoute("GET", "/v2/models", _list_models, documentation.MODELS_CALL),
        ProtocolRoute("GET", "/v2/models/stats", _describe_statistics(statistics), documentation.ALL_STATISTICS_CALL),
    ]


def _infer_routes(handle: Handler) -> list[ProtocolRoute]:
    """Return the routes of inference: one for each model, so that each has examples that work."""

    def named(model: str) -> Handler:
        async def with_model(call: Call) -> ProtocolAnswer:
            call.parameters = {"model": model}
            return await handle(call)

        return with_model

    return [
        *(
            ProtocolRoute("POST", f"/v2/models/{model}/infer", named(model), documentation.infer_call(model))
            for model in MODELS
        ),
        ProtocolRoute("POST", "/v2/models/{model}/infer", handle),
        ProtocolRoute(
            "POST", "/v2/models/{model}/versions/{version}/infer", handle, documentation.infer_version_call()
        ),
    ]


def _model_routes(statistics: Statistics) -> list[ProtocolRoute]:
    calls: list[tuple[str, Handler, Callable[..., dict[str, Any]]]] = [
        ("", _describe_model, documentation.describe_call),
        ("/ready", _model_ready, documentation.model_ready_call),
        ("/config", _configure_model, documentation.configure_call),
        ("/stats", _describe_statistics(statistics), documentation.statistics_call),
    ]
    return [
        ProtocolRoute("GET", f"/v2/models/{{model}}{infix}{suffix}", handle, describe(has_version=bool(infix)))
        for infix in ("", "/versions/{version}")
        for suffix, handle, describe in calls
    ]


def _repository_routes() -> list[ProtocolRoute]:
    path = "/v2/repository/models/{model}"
    return [
        ProtocolRoute("POST", "/v2/repository/index", _index_repository, documentation.INDEX_CALL),
        ProtocolRoute("POST", f"{path}/load", _load, documentation.LOAD_CALL, needs_key=True),
        ProtocolRoute("POST", f"{path}/unload", _refuse_unload, needs_key=True),
    ]


def _shared_memory_routes() -> list[ProtocolRoute]:
    routes: list[ProtocolRoute] = []
    for memory in MEMORIES:
        root = f"/v2/{memory}sharedmemory"
        for place in ("", "/region/{region}"):
            calls = documentation.shared_memory_calls(memory, has_region=bool(place))
            routes += [
                ProtocolRoute("GET", f"{root}{place}/status", _list_regions, calls["status"]),
                ProtocolRoute("POST", f"{root}{place}/unregister", _unregister_region, calls["unregister"]),
            ]
        routes.append(ProtocolRoute("POST", f"{root}/region/{{region}}/register", _refuse_region))
    return routes
