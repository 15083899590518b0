"""The OpenAPI document: what FastAPI derives from the routes, plus bodies, keys, problems and examples."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jaxshop.serving import problems
from jaxshop.serving.examples import EXAMPLES, SCHEDULE
from jaxshop.serving.import_schemas import IMPORT_EXAMPLE, ImportRequest
from jaxshop.serving.reschedule_schemas import RescheduleRequest
from jaxshop.serving.schemas import ProblemDocument, ScheduleRequest, VerifyRequest
from jaxshop.serving.shop_schemas import SHOP_EXAMPLE

REF = "#/components/schemas/{model}"
BODIES: dict[str, type[BaseModel]] = {
    "/v1/schedules": ScheduleRequest,
    "/v1/schedules:verify": VerifyRequest,
    "/v1/reschedules": RescheduleRequest,
    "/v1/imports": ImportRequest,
    "/v1/exports": VerifyRequest,
}
SOURCE = {"source": "mariadb"}
OPEN = frozenset({"/livez", "/readyz"})

_ANY = {401: "No key, or an unknown one", 403: "A key of a role that may not do this"}
_BODY = {
    408: "The body came too slowly",
    413: "The body is too long",
    415: "The body is not application/json",
    422: "The input is refused; `errors` holds path and message of each fault",
    499: "The client went away",
    500: "Nothing passed the verifier",
    503: "Queue full or not ready; see Retry-After",
    504: "No answer in time",
}
_KEPT = {404: "No such request (any more)", 503: "The store of asynchronous requests is away; see Retry-After"}
PROBLEMS: dict[str, dict[int, str]] = {
    "/version": {},
    "/metrics": {},
    "/v1/models": {503: "Not ready; see Retry-After"},
    "/v1/models:reload": {
        409: "Refused; the old model stays",
        503: "Not ready",
    },
    "/v1/demo-shop": {503: "Not ready; see Retry-After"},
    "/v1/schedules": _BODY,
    "/v1/schedules:verify": _BODY,
    "/v1/reschedules": _BODY | {409: "No plan is released in the database"},
    "/v1/imports": _BODY,
    "/v1/exports": _BODY,
    "/v1/schedules/{id}": _KEPT,
    "/v1/schedules/{id}/best": _KEPT | {409: "It has no schedule so far, or another server works on it"},
    "/v1/schedules/{id}:write-back": _KEPT | {409: "There is nothing to store", 422: "The database refuses"},
    "/v1/schedules/{id}:release": _KEPT
    | {
        404: "No such plan",
        409: "It is no draft, or another plan was released since it was made",
        422: "The database refuses",
    },
    "/v1/plans": {422: "The query, or the database, refuses", 503: "The database is away; see Retry-After"},
    "/v1/schedules/{id}:stop": _KEPT,
    "/v1/schedules/{id}/events": _KEPT,
}


def install(app: FastAPI) -> None:
    """Make `app` serve the full document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="jaxshop",
        version=version("jaxshop"),
        summary="Schedules for flexible job shops: complete, verified, or a clear no",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    models = [(model, "validation") for model in (*BODIES.values(), ProblemDocument)]
    _, definitions = models_json_schema(models, ref_template=REF)  # type: ignore[arg-type]
    schemas = components.setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path not in OPEN:
                operation["security"] = [{"key": []}, {"bearer": []}]
                _add_problems(operation, _ANY | PROBLEMS[path])
            if path in BODIES:
                _add_body(operation, BODIES[path])
            for status, example in EXAMPLES.get(path, {}).get(method, {}).items():
                operation["responses"][status]["content"]["application/json"]["example"] = example
    return document


def _add_problems(operation: dict[str, Any], kinds: dict[int, str]) -> None:
    operation["responses"].pop("422", None)  # FastAPI's own shape, which is not used
    schema = {"$ref": REF.format(model="ProblemDocument")}
    for status, description in kinds.items():
        operation["responses"][str(status)] = {
            "description": description,
            "content": {problems.MEDIA_TYPE: {"schema": schema}},
        }


def _add_body(operation: dict[str, Any], model: type[BaseModel]) -> None:
    content: dict[str, Any] = {"schema": {"$ref": REF.format(model=model.__name__)}}
    whole: dict[type[BaseModel], dict[str, Any]] = {ScheduleRequest: SHOP_EXAMPLE, ImportRequest: IMPORT_EXAMPLE}
    example = whole.get(model, {"shop": SHOP_EXAMPLE, "schedule": SCHEDULE})
    if model is RescheduleRequest:
        example = example | {"now": 1.0, "down": [{"machine": "PP09", "from": 1.0, "to": 3.0}], "drop": []}
    content["examples"] = {"small": {"summary": "A few machines and jobs", "value": example}}
    if model is ScheduleRequest:
        content["examples"]["database"] = {"summary": "The shop in the server's database", "value": SOURCE}
    if model is RescheduleRequest:
        content["examples"]["database"] = {"summary": "The plan that is released there", "value": SOURCE}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
