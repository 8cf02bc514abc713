"""The server process: KServe's data plane and v2 routes on our own listener.

KServe's ModelServer binds 0.0.0.0 and, for gRPC, [::], both hard-coded. Here its parts (data plane, routes, error
handlers) are put on an application that uvicorn serves on `TRACEO_HOST`; there is no gRPC listener.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import kserve
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from kserve import errors
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import metrics_handler
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints

from components.core import tracking
from components.core.errors import TraceoError
from components.core.settings import settings
from components.serving.model import RegisteredModel
from components.serving.registry import Follower
from components.serving.routing import Route

MODELS = ("traceo-anomaly", "traceo-forecasting")
#: Seconds that requests in flight get to end after SIGTERM.
GRACE_S = 20

#: KServe's own handlers log a traceback for every one of these; a model that is not ready yet is no error of ours.
_STATUSES: dict[type[Exception], int] = {
    errors.InvalidInput: 400,
    errors.ModelNotFound: 404,
    errors.InferenceError: 500,
    NotImplementedError: 501,
    errors.ModelNotReady: 503,
    errors.ServerNotReady: 503,
}
logger = logging.getLogger("traceo.serving")


class AliasesDecide(ModelRepositoryExtension):
    """Refuses to load or unload on request: what is served follows the registry's aliases alone."""

    async def load(self, model_name: str) -> None:
        raise NotImplementedError("models are loaded by the registry's aliases; move the alias champion instead")

    async def unload(self, model_name: str) -> None:
        raise NotImplementedError("models are unloaded by the registry's aliases; delete the alias instead")


def application(
    models: Sequence[str] = MODELS, *, challenger_weight: float | None = None, poll_s: float | None = None
) -> FastAPI:
    """The server as an ASGI application; weight and polling default to the settings."""
    weight = settings().challenger_weight if challenger_weight is None else challenger_weight
    routes = [Route(name, weight, tracking.load_model) for name in models]
    follower = Follower(routes, settings().model_poll_s if poll_s is None else poll_s)
    repository = kserve.ModelRepository()
    for route in routes:
        repository.update(RegisteredModel(route))

    @asynccontextmanager
    async def following(app: FastAPI) -> AsyncIterator[None]:
        follower.start()
        yield
        follower.stop()

    app = FastAPI(title="Traceo models", lifespan=following, docs_url=None, redoc_url=None, openapi_url=None)
    for kind in _STATUSES:
        app.add_exception_handler(kind, _refuse)
    _add_routes(app, DataPlane(repository), routes, follower)
    register_v2_endpoints(app, DataPlane(repository), AliasesDecide(repository))
    return app


def _add_routes(app: FastAPI, data_plane: DataPlane, routes: Sequence[Route], follower: Follower) -> None:
    """Routes that come before KServe's own of the same path."""

    async def infer(model_name: str, request: Request) -> Response:
        return await _infer(data_plane, model_name, request)

    async def status() -> dict[str, Any]:
        return {"models": {route.model: route.status() for route in routes}, "registry_error": follower.error}

    app.add_api_route("/v2/models/{model_name}/infer", infer, methods=["POST"], response_model=None)
    app.add_api_route("/status", status, methods=["GET"])
    app.add_api_route("/metrics", metrics_handler, methods=["GET"], response_model=None)


async def _infer(data_plane: DataPlane, model_name: str, request: Request) -> Response:
    # KServe's own route checks every number of a JSON body with pydantic, both ways; its parser of raw
    # bodies is many times faster and takes JSON and binary tensors alike.
    await data_plane.model_ready(model_name)
    body = await request.body()
    payload = await asyncio.to_thread(_parse, body, dict(request.headers), model_name)
    answer, headers = await data_plane.infer(model_name, payload, dict(request.headers))
    content = await asyncio.to_thread(orjson.dumps, answer)
    return Response(content, media_type="application/json", headers=headers)


async def _refuse(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    if status == 500:
        logger.error("%s: %s", request.url.path, error, exc_info=error)
    return JSONResponse({"error": str(error)}, status)


def _parse(body: bytes, headers: dict[str, str], model_name: str) -> kserve.InferRequest:
    try:
        json_length = int(headers.get(INFERENCE_CONTENT_LENGTH_HEADER, len(body)))
        payload = kserve.InferRequest.from_bytes(body, json_length, model_name)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise errors.InvalidInput(f"not an inference request: {type(error).__name__}: {error}") from None
    if payload.id is not None and not isinstance(payload.id, str):
        raise errors.InvalidInput(f"id must be text, not {payload.id!r}")
    return payload


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    try:
        place = settings()
        app = application()
    except TraceoError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.model_server_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
