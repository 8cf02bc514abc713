"""The console's routes: the page, its plots, the marks set on it, and the reports that steps left."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware

from components.actions.console import graphs, marking, metrics, plots, reports, views
from components.core.lake import Lake
from components.core.settings import Settings

_TEMPLATES = Path(__file__).parents[1] / "templates"
# Reports are pages of others (Great Expectations, Evidently) with scripts of their own; the sandbox keeps
# them from acting as this site.
_REPORT_POLICY = "sandbox allow-scripts allow-popups"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'self'"


def create_app(settings: Settings) -> FastAPI:
    """The console for the lake and the reports under `settings.home`."""
    app = FastAPI(title="Traceo console", docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere must not read this one through a name that it points at 127.0.0.1.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.host_names)
    templates = Jinja2Templates(_TEMPLATES)
    lake = Lake(settings.lake_uri)
    registry = metrics.product_registry(settings)

    app.include_router(marking.routes(lake))

    @app.middleware("http")
    async def harden(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    def scrape(request: Request) -> Response:
        content, kind = metrics.exposition(registry, request.headers.get("accept"))
        return Response(content, headers={"Content-Type": kind})

    @app.get("/", response_class=HTMLResponse)
    def page(request: Request) -> Response:
        return templates.TemplateResponse(request, "console.html", views.page(lake, settings))

    @app.get("/plots/forecast.svg")
    def forecast(service: str, metric: str) -> Response:
        return _svg(plots.forecast(lake, service, metric))

    @app.get("/plots/anomaly.svg")
    def anomaly(service: str, metric: str, start: datetime | None = None, end: datetime | None = None) -> Response:
        return _svg(plots.anomaly(lake, service, metric, start, end))

    @app.get("/plots/causes.svg")
    def causes(incident: str) -> Response:
        return _svg(graphs.causes(lake, incident))

    @app.get("/files/{path:path}")
    def report(path: str) -> Response:
        found = reports.read(settings.home, path)
        if found is None:
            raise HTTPException(404, "no such report; reports of finished steps lie under runs/")
        return Response(found[0], media_type=found[1], headers={"Content-Security-Policy": _REPORT_POLICY})

    return app


def _svg(content: bytes | None) -> Response:
    if content is None:
        raise HTTPException(404, "the lake holds nothing to draw for this")
    return Response(content, media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})
