"""The routes as one application, each for all namespaces and for a single one, and their document.

`front_door` stands before it; nothing here is reached without.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

import callplane
from callplane.server import books_routes, problems, queries, register_routes
from callplane.server.door import Door
from callplane.server.front_door import DOCUMENT_PATH
from callplane.server.problems import Problem
from callplane.server.responses import ProblemDetails
from callplane.store.admin_ports import AdminReader
from callplane.store.ports import StoreUnavailable
from callplane.store.schema import SchemaMismatch

ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": ProblemDetails}
    for status, text in (
        (400, "The request cannot be read."),
        (401, "No token, or none that counts here."),
        (403, "No right to that."),
        (404, "Nothing of that name there."),
        (429, "Too many failed attempts."),
        (503, "Rights or data cannot be had now."),
    )
}


def application(door: Door, reader: AdminReader) -> FastAPI:
    """The routes over these parts."""
    app = _application()
    app.state.door = door
    app.state.reader = reader
    return app


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return _described(_application())


def _described(app: FastAPI) -> dict[str, Any]:
    """What the framework says of the routes, made true: problems have a media type of their own,
    what cannot be read is 400, and a token is needed.
    """
    made = app.openapi()
    for operation in (each["get"] for each in made["paths"].values()):
        operation["responses"].pop("422", None)
        for status in map(str, ANSWERS):
            content = operation["responses"][status]["content"]
            if "application/json" in content:
                content[problems.MEDIA_TYPE] = content.pop("application/json")
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    return made


def _application() -> FastAPI:
    app = FastAPI(
        title="Callplane admin API",
        summary="Register, held plans, pools, statements and ledger, read only.",
        version=callplane.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses=ANSWERS,
        generate_unique_id_function=lambda route: _operation(route.name, route.path),
    )
    for routes in (register_routes.router, books_routes.router):
        app.include_router(routes, prefix="/v1", dependencies=[Depends(queries.everywhere)])
        app.include_router(
            routes,
            prefix="/v1/namespaces/{namespace}",
            dependencies=[Depends(queries.in_namespace)],
        )
    app.add_api_route(DOCUMENT_PATH, lambda: JSONResponse(_described(app)), include_in_schema=False)
    app.add_exception_handler(Problem, _raise)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreUnavailable, _without_database)
    app.add_exception_handler(SchemaMismatch, _without_database)
    return app


def _operation(name: str, path: str) -> str:
    return f"{name}_in_namespace" if "{namespace}" in path else name


async def _raise(request: Request, error: Exception) -> Response:
    """The front door makes the answer, since it knows the request's id."""
    raise error


async def _unrouted(request: Request, error: Exception) -> Response:
    raise problems.not_found() from error


async def _invalid(request: Request, error: Exception) -> Response:
    """Which parameter is wrong and why, but not what it was."""
    assert isinstance(error, RequestValidationError)
    raise problems.bad_request(
        [
            {"parameter": str(each["loc"][-1]), "problem": _rule(each["type"])}
            for each in error.errors()
        ]
    ) from None


def _rule(kind: str) -> str:
    return kind.replace("_", " ")


async def _without_database(request: Request, error: Exception) -> Response:
    raise problems.database_unavailable() from error
