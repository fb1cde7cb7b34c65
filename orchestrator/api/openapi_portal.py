"""The part of the OpenAPI document for the city's applications: tokens, the catalogue, the citizen."""

from collections.abc import Mapping
from typing import Any, Final

from apispec import APISpec

from orchestrator.api.asked import JSON, CardSchema, RedeemSchema
from orchestrator.api.portal_answers import (
    AccountsSchema,
    LoginsSchema,
    MeSchema,
    ServiceSchema,
    ServicesSchema,
)
from orchestrator.api.problems import MEDIA_TYPE
from orchestrator.services.api_clients import CATALOGUE_READ, ME_READ, ME_WRITE
from schemas.strict import Strict

ISSUER: Final = "https://connexion.example.org/realms/parvis"
_TAG: Final = "applications"
_ACCOUNT: Final = "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10"
_LOGIN: Final = "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c11"
_SERVICE: Final = {
    "id": "lib_centre",
    "kind": "library",
    "name": "Bibliothèque du centre",
    "territory": "centre",
    "communes": ["13055"],
    "place": {
        "id": "423",
        "name": "Bibliothèque du centre",
        "commune": "13055",
        "address": "58 cours de la Place",
    },
    "min_level": 1,
}
_EXAMPLES: Final[Mapping[str, Any]] = {
    "Me": {"level": 2, "state": "active", "language": "fr", "services": ["lib_centre"]},
    "Accounts": {
        "accounts": [
            {
                "id": _ACCOUNT,
                "service": "lib_centre",
                "name": "Bibliothèque du centre",
                "state": "open",
                "level": 1,
                "method": "access_code",
                "opened_at": "2026-11-20T09:12:00.000Z",
            }
        ]
    },
    "Logins": {
        "logins": [
            {
                "id": _LOGIN,
                "alias": "france-connect",
                "method": "franceconnect",
                "level": 2,
                "since": "2026-11-20T09:10:00.000Z",
                "last_used_at": "2026-11-22T18:03:00.000Z",
            }
        ]
    },
    "Service": _SERVICE,
    "Services": {"services": [_SERVICE]},
    "Redeemed": {"status": "redeemed"},
    "Linked": {"status": "linked", "service": "lib_centre"},
}
_REFUSALS: Final = {
    "401": "not-authenticated",
    "403": "not-permitted",
    "429": "rate-limited",
    "503": "unavailable",
}
_OF_CITIZENS: Final = {"403": "not-permitted, login-first, proof-needed"}
_OF_BODIES: Final = {
    "400": "malformed",
    "408": "request-timeout",
    "409": "conflict, idempotency-key-in-flight",
    "413": "too-large",
    "415": "unsupported-media-type",
    "422": "invalid-data, idempotency-key-reused",
}
_OF_DELETIONS: Final = {
    "400": "malformed",
    "404": "not-found",
    "409": "conflict, idempotency-key-in-flight",
    "422": "idempotency-key-reused",
}


def add_portal(spec: APISpec, issuer: str) -> None:
    """Add what applications need: security schemes, shapes, addresses."""
    for name, schema in (
        ("Me", MeSchema),
        ("Accounts", AccountsSchema),
        ("Logins", LoginsSchema),
        ("Service", ServiceSchema),
        ("Services", ServicesSchema),
    ):
        spec.components.schema(name, schema=schema)
    for name, value in _security(issuer).items():
        spec.components.security_scheme(name, value)
    spec.components.parameter("Idempotency-Key", "header", _IDEMPOTENCY_KEY)
    for path, operations in _paths().items():
        spec.path(path=path, operations=operations)


_IDEMPOTENCY_KEY: Final = {
    "required": False,
    "description": (
        "Une clé de votre choix, 1 à 128 caractères visibles entre guillemets, une par acte : la même "
        "clé avec le même contenu reçoit pendant 24 heures la même réponse, sans second effet "
        "(`Idempotent-Replayed: true`)."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 130},
    "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
}


def _security(issuer: str) -> dict[str, Any]:
    oidc = f"{issuer}/protocol/openid-connect"
    own = {CATALOGUE_READ: "Lire les services de la ville (rôle du client `parvis-hub`)"}
    return {
        "application": {
            "type": "oauth2",
            "description": "Le jeton d'une application, obtenu par elle-même.",
            "flows": {"clientCredentials": {"tokenUrl": f"{oidc}/token", "scopes": own}},
        },
        "citizen": {
            "type": "oauth2",
            "description": (
                "Le jeton d'une personne connectée par l'application (code d'autorisation, PKCE S256). "
                "Les droits sont ceux de l'application, accordés par la ville."
            ),
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{oidc}/auth",
                    "tokenUrl": f"{oidc}/token",
                    "scopes": {
                        ME_READ: "Lire ce qui est à la personne",
                        ME_WRITE: "Agir pour la personne",
                    },
                }
            },
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": (
                "Un jeton d'accès signé (RS256) du royaume des citoyens, destiné à `parvis-hub`, de "
                "quinze minutes au plus : `Authorization: Bearer …`."
            ),
        },
    }


def _paths() -> dict[str, dict[str, Any]]:
    return {
        "/v1/services": {"get": _own("Lire les services de la ville", "getServices", "Services")},
        "/v1/services/{id}": {"get": _one_service()},
        "/v1/me": {"get": _read("Savoir où en est la personne", "getMe", "Me")},
        "/v1/me/accounts": {
            "get": _read("Lire les services où la personne a sa place", "getAccounts", "Accounts"),
            "post": _link_account(),
        },
        "/v1/me/accounts/{id}": {
            "delete": _delete("Quitter un service", "closeAccount", _OF_DELETIONS)
        },
        "/v1/me/logins": {
            "get": _read("Lire les façons de se connecter de la personne", "getLogins", "Logins")
        },
        "/v1/me/logins/{id}": {
            "delete": _delete("Retirer une façon de se connecter", "unlinkLogin", _OF_DELETIONS)
        },
        "/v1/access-codes/redeem": {
            "post": _write(
                "Utiliser un code d'accès", "redeemAccessCode", RedeemSchema(), _CODE_EXAMPLE
            )
        },
    }


_CODE_EXAMPLE: Final = ({"code": "ABCDE-FGHJK"}, "200", "Redeemed", "Le code a servi.")
_CARD_EXAMPLE: Final = (
    {"service": "lib_centre", "card": "29111000000017", "pin": "493827"},
    "201",
    "Linked",
    "La carte est reliée.",
)


def _link_account() -> dict[str, Any]:
    summary = "Relier une carte que la personne a déjà"
    operation = _write(summary, "linkAccount", CardSchema(), _CARD_EXAMPLE)
    operation["description"] = (
        "La bibliothèque vérifie la carte et son code. Carte inconnue, code faux et carte bloquée reçoivent "
        "la même réponse ; les essais sont comptés par carte et par personne. Demande une personne dont un "
        "contact est prouvé (niveau 1) ; l'inscription reliée vaut le niveau 2 dans ce service."
    )
    operation["responses"]["503"] = _refusal("unavailable, system-unavailable")
    return operation


def _own(summary: str, operation_id: str, answer: str) -> dict[str, Any]:
    operation = _operation(summary, operation_id, _REFUSALS)
    operation["security"] = [{"application": [CATALOGUE_READ]}, {"bearer": []}]
    operation["responses"]["200"] = _told(answer)
    return operation


def _one_service() -> dict[str, Any]:
    operation = _own("Lire un service", "getService", "Service")
    operation["parameters"] = [_id("L'identifiant du service.", "^[a-z][a-z0-9_]{1,39}$")]
    operation["responses"]["404"] = _refusal("not-found")
    return operation


def _read(summary: str, operation_id: str, answer: str) -> dict[str, Any]:
    operation = _operation(summary, operation_id, _REFUSALS | _OF_CITIZENS)
    operation["security"] = [{"citizen": [ME_READ]}, {"bearer": []}]
    operation["responses"]["200"] = _told(answer)
    return operation


def _write(
    summary: str, operation_id: str, schema: Strict, example: tuple[Any, str, str, str]
) -> dict[str, Any]:
    asked, status, answer, meaning = example
    operation = _changing(summary, operation_id, _OF_BODIES)
    content = {JSON: {"schema": schema.describe(), "example": asked}}
    operation["requestBody"] = {"required": True, "content": content}
    told = {"schema": {"type": "object"}, "example": _EXAMPLES[answer]}
    operation["responses"][status] = {"description": meaning, "content": {JSON: told}}
    return operation


def _delete(summary: str, operation_id: str, refused: Mapping[str, str]) -> dict[str, Any]:
    operation = _changing(summary, operation_id, refused)
    operation["description"] = (
        "Demande une personne identifiée il y a cinq minutes au plus (`auth_time` du jeton) ; sinon "
        "403 avec `max_age`."
    )
    operation["parameters"].insert(0, _id("L'identifiant lu dans la liste.", "^[0-9a-f-]{36}$"))
    operation["responses"]["204"] = {"description": "C'est fait."}
    return operation


def _changing(summary: str, operation_id: str, refused: Mapping[str, str]) -> dict[str, Any]:
    operation = _operation(summary, operation_id, {**_REFUSALS, **_OF_CITIZENS, **refused})
    operation["security"] = [{"citizen": [ME_WRITE]}, {"bearer": []}]
    operation["parameters"] = ["Idempotency-Key"]
    return operation


def _operation(summary: str, operation_id: str, refused: Mapping[str, str]) -> dict[str, Any]:
    responses = {status: _refusal(slugs) for status, slugs in sorted(refused.items())}
    return {
        "summary": summary,
        "operationId": operation_id,
        "tags": [_TAG],
        "responses": responses,
    }


def _id(description: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {
        "in": "path",
        "name": "id",
        "required": True,
        "schema": schema,
        "description": description,
    }


def _told(answer: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{answer}"}
    return {
        "description": "Ce qui est connu.",
        "content": {JSON: {"schema": schema, "example": _EXAMPLES[answer]}},
    }


def _refusal(slugs: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": slugs, "content": content}
