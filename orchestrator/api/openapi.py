"""The OpenAPI 3.1 document, made from the schemas that validate and describe."""

import json
from collections.abc import Mapping
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from orchestrator.api.answers import (
    EventStateSchema,
    EventTypesSchema,
    ProblemSchema,
    ResultsSchema,
)
from orchestrator.api.media_types import BATCH, EVENT
from orchestrator.api.openapi_portal import ISSUER, add_portal
from orchestrator.api.problem_texts import PROBLEMS
from orchestrator.api.problems import MEDIA_TYPE
from schemas import events
from schemas.publish import envelope_document

PUBLIC_URL: Final = "https://parvis.example.org"
_DESCRIPTION: Final = """Événements signés des partenaires de la collectivité ; lectures et actes de ses applications.

**Partenaires.** Chaque requête est signée selon Standard Webhooks 1.0 : `webhook-id`, `webhook-timestamp` (secondes
Unix, à 300 secondes près) et `webhook-signature` (`v1,` HMAC-SHA256 ou `v1a,` Ed25519) sur
`id.timestamp.corps`, le corps tel qu'il est envoyé. Une requête sans corps signe le texte
`GET <chemin et paramètres>`. `Parvis-Key-Id` nomme la clé : `<partenaire>/<clé>`.
Un événement est sa propre clé d'idempotence, (`source`, `id`), gardée 35 jours.

**Applications.** Chaque requête porte un jeton du royaume des citoyens : le sien pour lire le catalogue,
celui de la personne connectée pour ce qui est à elle. L'API ne crée personne : qui ne s'est jamais connecté
sur nos pages reçoit `login-first`."""


def document(public_url: str = PUBLIC_URL, *, issuer: str | None = None) -> dict[str, Any]:
    """Return the document, with the address of this hub and of the realm that gives tokens."""
    spec = APISpec(
        title="Parvis",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": _DESCRIPTION, "license": {"name": "EUPL-1.2"}},
        servers=[{"url": public_url}],
        jsonSchemaDialect="https://json-schema.org/draft/2020-12/schema",
    )
    _add_components(spec)
    for path, operations in _partner_paths().items():
        spec.path(path=path, operations=operations)
    add_portal(spec, issuer or ISSUER)
    for path, operations in _open_paths().items():
        spec.path(path=path, operations=operations)
    described: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    described["components"]["schemas"] |= _event_components()
    return described


def written(public_url: str = PUBLIC_URL) -> str:
    """Return the document as it is published."""
    return json.dumps(document(public_url), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


# --- components ----------------------------------------------------------------------------------


def _add_components(spec: APISpec) -> None:
    for name, schema in (
        ("Results", ResultsSchema),
        ("EventState", EventStateSchema),
        ("EventTypes", EventTypesSchema),
        ("Problem", ProblemSchema),
    ):
        spec.components.schema(name, schema=schema)
    spec.components.security_scheme("signature", _SIGNATURE)
    for name, parameter in _SIGNED_HEADERS.items():
        spec.components.parameter(name, "header", parameter)


def _event_components() -> dict[str, Any]:
    """Return the schemas of events; they are JSON Schemas already and need no translation."""
    types = [known for known in events.catalogue().values() if not known.is_own_page_only]
    envelope = {name: part for name, part in envelope_document().items() if name[0] != "$"}
    bodies = {f"data.{known.name}": known.describe() | {"title": known.title} for known in types}
    one = {"oneOf": [_event_schema(known.name) for known in types]}
    many = {"type": "array", "maxItems": 50, "items": {"$ref": "#/components/schemas/Event"}}
    return {"Envelope": envelope, **bodies, "Event": one, "Batch": many}


_SIGNATURE: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "webhook-signature",
    "description": (
        "Standard Webhooks 1.0 : liste de signatures séparées par une espace, `v1,<base64>` ou "
        "`v1a,<base64>`, sur les octets envoyés ; la clé est celle que nomme Parvis-Key-Id."
    ),
}
_SIGNED_HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "Parvis-Key-Id": {
        "required": True,
        "description": "La clé : `<partenaire>/<clé>`.",
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}/[a-z][a-z0-9_]{0,39}$"},
        "example": "volt_demo/k1",
    },
    "webhook-id": {
        "required": True,
        "description": "L'identifiant de l'envoi ; celui de l'événement quand il est seul.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    },
    "webhook-timestamp": {
        "required": True,
        "description": "L'instant de cet envoi, en secondes Unix.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    },
}


def _event_schema(name: str) -> dict[str, Any]:
    data = {"$ref": f"#/components/schemas/data.{name}"}
    properties = {"type": {"const": name}, "data": data}
    envelope = {"$ref": "#/components/schemas/Envelope"}
    return {
        "title": name,
        "allOf": [envelope, {"type": "object", "properties": properties, "required": ["data"]}],
    }


# --- paths ---------------------------------------------------------------------------------------

_REFUSALS: Final = {"401": "signature-invalid, timestamp-skew", "429": "rate-limited"}
_REFUSED_POSTS: Final = {
    "400": "malformed",
    "403": "source-mismatch, type-not-allowed",
    "408": "request-timeout",
    "413": "too-large",
    "415": "unsupported-media-type",
    "422": "invalid-event, invalid-data, unknown-type, event-id-reused",
}
_UNAVAILABLE: Final = {"503": "unavailable"}


def _partner_paths() -> dict[str, dict[str, Any]]:
    return {
        "/v1/events": {"post": _post_event()},
        "/v1/events:batch": {"post": _post_batch()},
        "/v1/events/{id}": {"get": _get_event()},
        "/v1/event-types": {"get": _get_types()},
    }


def _open_paths() -> dict[str, dict[str, Any]]:
    return {
        "/v1/openapi.json": {"get": _open_page("Ce document", "application/json")},
        "/v1/docs": {"get": _open_page("La documentation à lire", "text/html")},
        "/problems/{slug}": {"get": _problem_page()},
        "/livez": {"get": _probe("Le processus répond")},
        "/readyz": {"get": _probe("Le processus peut recevoir des requêtes", "503")},
        "/startupz": {"get": _probe("Le processus a fini de démarrer", "503")},
    }


def _post_event() -> dict[str, Any]:
    example = events.catalogue()["utility.contract_opened.v1"].example
    event = {
        "specversion": "1.0",
        "id": "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10",
        "source": "/partners/volt_demo",
        "type": "utility.contract_opened.v1",
        "subject": "contrat-4821",
        "time": "2026-11-20T09:12:00.000Z",
        "data": example,
    }
    content = {"schema": {"$ref": "#/components/schemas/Event"}, "example": event}
    operation = _signed("Annoncer un événement", "postEvent", _REFUSED_POSTS | _UNAVAILABLE)
    operation["requestBody"] = {"required": True, "content": {EVENT: content}}
    operation["responses"]["202"] = _answer("Results", "Enregistré, ou déjà là.") | {
        "headers": {"Location": {"schema": {"type": "string"}}}
    }
    return operation


def _post_batch() -> dict[str, Any]:
    refused = _REFUSED_POSTS | _UNAVAILABLE
    operation = _signed("Annoncer des événements", "postEvents", refused)
    operation["parameters"].append(
        {
            "in": "header",
            "name": "Content-Encoding",
            "schema": {"type": "string", "enum": ["gzip"]},
            "description": "La signature couvre les octets compressés.",
        }
    )
    content = {"schema": {"$ref": "#/components/schemas/Batch"}}
    operation["requestBody"] = {"required": True, "content": {BATCH: content}}
    operation["responses"]["202"] = _answer("Results", "Un résultat par événement, dans l'ordre.")
    return operation


def _get_event() -> dict[str, Any]:
    refused = {"404": "not-found"} | _UNAVAILABLE
    operation = _signed("Suivre un événement", "getEvent", refused)
    operation["parameters"] += [
        {
            "in": "path",
            "name": "id",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        },
        {
            "in": "query",
            "name": "source",
            "schema": {"type": "string", "maxLength": 256},
            "description": "La source de l'événement, quand ce n'est pas /partners/<partenaire>.",
        },
    ]
    operation["responses"]["200"] = _answer("EventState", "L'état de l'événement.")
    return operation


def _get_types() -> dict[str, Any]:
    operation = _signed("Connaître ce que l'on peut envoyer", "getEventTypes", _UNAVAILABLE)
    operation["parameters"].append(
        {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}}
    )
    operation["responses"]["200"] = _answer("EventTypes", "Types, schémas, finalités, textes.") | {
        "headers": {"ETag": {"schema": {"type": "string"}}}
    }
    operation["responses"]["304"] = {"description": "Rien n'a changé."}
    return operation


def _signed(summary: str, operation_id: str, refused: dict[str, str]) -> dict[str, Any]:
    return {
        "summary": summary,
        "operationId": operation_id,
        "tags": ["partenaires"],
        "security": [{"signature": []}],
        "parameters": list(_SIGNED_HEADERS),
        "responses": {
            status: _refusal(slugs) for status, slugs in sorted((_REFUSALS | refused).items())
        },
    }


def _answer(schema: str, description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _refusal(slugs: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": slugs, "content": content}


def _open_page(summary: str, media_type: str) -> dict[str, Any]:
    schema = {"type": "object"} if media_type.endswith("json") else {"type": "string"}
    ok = {"description": summary, "content": {media_type: {"schema": schema}}}
    return {"summary": summary, "tags": ["documentation"], "responses": {"200": ok}}


def _problem_page() -> dict[str, Any]:
    page = _open_page("La page d'un type de problème, en français et en anglais", "text/html")
    page["parameters"] = [
        {
            "in": "path",
            "name": "slug",
            "required": True,
            "schema": {"type": "string", "enum": sorted(PROBLEMS)},
        }
    ]
    page["responses"]["404"] = _refusal("not-found")
    return page


def _probe(summary: str, failing: str | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"status": {"type": "string"}}}
    answer = {"description": summary, "content": {"application/json": {"schema": schema}}}
    responses = {"200": answer}
    if failing:
        responses[failing] = answer | {"description": "Pas encore ; « faults » dit pourquoi."}
    return {"summary": summary, "tags": ["exploitation"], "responses": responses}
