"""What applications send with a write: small JSON objects, read strictly."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from marshmallow import ValidationError

from orchestrator.api.bodies import read_body
from orchestrator.api.calls import Call
from orchestrator.api.media_types import check_media_type
from schemas.errors import InvalidPayloadError
from schemas.fields import Pattern, Slug, Text
from schemas.pii import pii
from schemas.strict import Strict
from schemas.strict_json import Tokens, pointer, read_json

JSON: Final = "application/json"
MOST_BYTES: Final = 4 * 1024


class RedeemSchema(Strict):
    """An access code as the person typed it."""

    code = Text(
        required=True,
        at_most=40,
        metadata={
            "description": "Le code d'accès, tirets et espaces permis : `ABCDE-FGHJK`.",
            **pii("secret"),
        },
    )


class CardNumber(Pattern):
    """The number of a library card; blanks inside it do not count."""

    default_pii = pii("reference")
    expression = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./-]{0,39}")
    sentence = "Un numéro de carte a des chiffres, parfois des lettres, 40 caractères au plus."


class Pin(Pattern):
    """The secret of a card, as it was typed."""

    default_pii = pii("secret")
    expression = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}")
    sentence = "Le code d'une carte a de 1 à 100 caractères."


class CardSchema(Strict):
    """A library card that the person holds already."""

    service = Slug(
        required=True, metadata={"description": "La bibliothèque, par son identifiant de service."}
    )
    card = CardNumber(
        required=True,
        metadata={"description": "Le numéro de la carte, blancs permis.", **pii("reference")},
    )
    pin = Pin(
        required=True,
        metadata={
            "description": (
                "Le code ou mot de passe du compte lecteur : montré une fois à la bibliothèque, "
                "gardé nulle part. Ne le gardez pas non plus."
            ),
            **pii("secret"),
        },
    )


def read_asked(call: Call, schema: Strict) -> Mapping[str, Any]:
    """Return the members of a JSON body.

    Raises:
        RequestError: another media type, too much, no JSON, or not what the schema says.
    """
    check_media_type(call.environ, JSON)
    raw = read_body(call.environ, at_most=MOST_BYTES)
    try:
        return schema.read(read_json(raw))
    except ValidationError as error:
        raise InvalidPayloadError(tuple(_pairs((), error.messages))) from None
    except InvalidPayloadError as error:  # under the name an event would have
        raise InvalidPayloadError(error.errors) from None


def _pairs(path: Tokens, messages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _pairs(path if name == "_schema" else (*path, name), inner)
    else:
        for sentence in messages if isinstance(messages, list) else [messages]:
            yield pointer(path), str(sentence)
