"""The OpenAPI document that a Koha serves: what it can do, told by itself, plugin routes included."""

from collections.abc import Iterable, Mapping

from mock_partners.koha.fields import HOLD, NEW_BOOKING, PATRON, as_schema, known_members
from mock_partners.koha.routes import BASE, Route
from mock_partners.koha.settings import KohaSettings

__all__ = ["described"]


def described(routes: Iterable[Route], settings: KohaSettings) -> dict[str, object]:
    """The document of ``GET /api/v1/``."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        if route.path != "/":
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for path in settings.plugin_routes:
        paths.setdefault(path, {})["get"] = {"operationId": path.strip("/").replace("/", "_")}
    major, minor = settings.version
    return {
        "swagger": "2.0",
        "info": {"title": "Koha REST API", "version": f"{major}.{minor:02d}"},
        "basePath": BASE,
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": paths,
        "definitions": {
            "patron": as_schema(known_members(PATRON, settings.version)),
            "hold": as_schema(HOLD, ("patron_id", "pickup_library_id")),
            "booking": as_schema(NEW_BOOKING, ()),
            "error": {"type": "object", "properties": {"error": {"type": "string"}}},
        },
    }


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {"operationId": route.name, "parameters": _parameters(route)}
    if route.right is not None:
        operation["x-koha-authorization"] = {"permissions": dict(route.right)}
    return operation


def _parameters(route: Route) -> list[Mapping[str, object]]:
    names = [part[1:-1] for part in route.parts if part.startswith("{")]
    parameters: list[Mapping[str, object]] = [
        {"name": name, "in": "path", "required": True, "type": "integer"} for name in names
    ]
    parameters += [{"name": name, "in": "query", "type": "string"} for name in route.query]
    if route.schema is not None:
        parameters.append({"name": "body", "in": "body", "required": True, "schema": route.schema})
    return parameters
