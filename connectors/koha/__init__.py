"""Connector for Koha's REST interface: pre-registrations are patrons of a provisional category.

The record bears our reference, so an answer that was lost is found again before anything is created
twice. System's document and what to ask of its operator: docs/partners/koha.md.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.kit import (
    Connector,
    Manifest,
    PartnerHttp,
    PersonalField,
    Secret,
    Setting,
    operation,
)
from connectors.koha.patrons import Patrons, is_gone, new_patron, replacement
from connectors.koha.refusals import judge_conflict, judge_refusal
from connectors.koha.session import Session
from schemas.commands import Command
from schemas.errors import PartnerAlreadyDoneError, PartnerRejectedError
from schemas.receipts import ErasureReceipt, ProbeLevel, Receipt

PURPOSE: Final = "library.preregistration"
NOBODY: Final = "PV-00000000"  # a reference nobody has: the harmless search of the probe
BINDING: Final = (
    Setting(
        "library_id",
        title="Code du site",
        help="Code de la bibliothèque dans Koha (Administration > Sites).",
        example="ALC",
    ),
    Setting(
        "provisional_category",
        title="Catégorie provisoire",
        help="Catégorie d'adhérent réservée aux préinscriptions, sans droit de prêt.",
        example="PREINS",
    ),
    Setting(
        "category",
        title="Catégorie définitive",
        help="Catégorie donnée quand la personne active sa préinscription.",
        example="ADULTE",
    ),
    Setting(
        "membership_days",
        kind="integer",
        title="Durée de l'adhésion (jours)",
        help="Validité de la carte, comptée du jour de l'activation.",
        example=365,
        default=365,
        required=False,
    ),
)


def _kept(name: str, pii: str) -> PersonalField:
    return PersonalField(name=name, pii=pii, purpose=PURPOSE, eraser="erase")


class Koha(Connector):
    """Pre-registers, activates, looks up and erases patrons of a Koha."""

    manifest = Manifest(
        name="koha",
        title="Koha (SIGB)",
        kinds=frozenset({"library"}),
        capabilities=frozenset({"lookup", "authenticate", "create", "update"}),
        settings=(
            Setting(
                "base_url",
                kind="url",
                title="Adresse du serveur Koha",
                help="Adresse de l'interface professionnelle ou de l'OPAC, sans /api/v1.",
                example="https://koha.example.org",
            ),
            Setting(
                "client_id",
                title="Identifiant du client d'API",
                help="Compte de service Koha > Plus > Gérer les clés d'API.",
                example="parvis",
            ),
            Secret(
                "client_secret",
                title="Secret du client d'API",
                help="Affiché une seule fois par Koha à la création de la clé.",
            ),
            Setting(
                "reference_field",
                title="Champ de notre référence",
                help="Champ de l'adhérent où Koha garde notre référence (PV-…).",
                example="statistics_1",
                default="statistics_1",
                required=False,
                choices=("statistics_1", "opac_notes"),
            ),
        ),
        binding=BINDING,
        personal_fields=(
            _kept("surname", "identity"),
            _kept("firstname", "identity"),
            _kept("email", "contact"),
            _kept("mobile", "contact"),
            _kept("city", "location"),
            _kept("statistics_1", "reference"),
        ),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        super().__init__(settings, secrets)
        session = Session(str(settings["client_id"]), secrets["client_secret"])
        self._patrons = Patrons(session, str(settings["reference_field"]))

    def check(self, level: ProbeLevel, transport: PartnerHttp) -> None:
        """Read the served description, then log in anew, then search for a reference nobody has."""
        match level:
            case ProbeLevel.REACHABLE:
                self._patrons.describe(transport)
            case ProbeLevel.AUTHENTICATED:
                self._patrons.session.log_in(transport)
            case ProbeLevel.TRANSACTION:
                self._patrons.bearing(transport, NOBODY)

    @operation("preregister", undo="cancel_preregistration", purpose=PURPOSE)
    def preregister(self, call: Command, http: PartnerHttp) -> Receipt:
        """Create the provisional record, or find the one a lost answer left."""
        category = str(call.binding["provisional_category"])
        patron_id = self._created(
            call, http, category=category, expires_on=call.data.get("expires_on")
        )
        return Receipt(external_ref=patron_id, data={"state": "created"})

    @operation("cancel_preregistration", pivot=True)
    def cancel_preregistration(self, call: Command, http: PartnerHttp) -> Receipt:
        """Delete the record while it is provisional; one that is gone is as good."""
        patron_id = call.data.get("external_ref") or self._patrons.bearing(
            http, call.data["our_ref"]
        )
        if patron_id is None:
            return Receipt(data={"state": "cancelled"})
        patron = self._patrons.read(http, patron_id)
        if patron is not None:
            self._patrons.must_be_ours(http, patron, call.data["our_ref"])
            if patron.text("category_id") != call.binding["provisional_category"]:
                raise http.failure(PartnerRejectedError, "no_longer_provisional")
            self._patrons.delete(http, patron_id)
        return Receipt(external_ref=patron_id, data={"state": "cancelled"})

    @operation("activate", purpose=PURPOSE, pivot=True)
    def activate(self, call: Command, http: PartnerHttp) -> Receipt:
        """Give the record its real category, or create it when the early call was skipped.

        A category that the desk gave meanwhile is left as it is.
        """
        category = str(call.binding["category"])
        patron_id = call.data.get("external_ref")
        ends_on = self._patrons.end_of_membership(call.binding)
        if patron_id is None:
            patron_id = self._created(call, http, category=category, expires_on=ends_on)
            return Receipt(external_ref=patron_id, data={"state": "activated"})
        patron = self._patrons.read(http, patron_id)
        if patron is None:
            raise http.failure(
                PartnerRejectedError, "expired"
            )  # Koha's own jobs delete unconfirmed records
        self._patrons.must_be_ours(http, patron, call.data["our_ref"])
        if patron.text("category_id") == call.binding["provisional_category"]:
            whole = replacement(patron, call.data, category=category, expires_on=ends_on)
            self._replace(http, patron_id, whole)
        return Receipt(external_ref=patron_id, data={"state": "activated"})

    @operation("lookup", purpose=PURPOSE, read=True)
    def lookup(self, call: Command, http: PartnerHttp) -> Receipt:
        """Find a record by our reference, or by the card number the person gave."""
        card = call.data.get("card_number")
        field = self._patrons.reference_field if card is None else "cardnumber"
        found = self._patrons.find(http, field, str(card or call.data["our_ref"]))
        if len(found) != 1:
            return Receipt(data={"found": False, "matches": len(found)})
        is_provisional = found[0].text("category_id") == call.binding.get("provisional_category")
        return Receipt(
            external_ref=str(found[0].integer("patron_id")),
            data={"found": True, "matches": 1, "is_provisional": is_provisional},
        )

    @operation("authenticate", purpose=PURPOSE, read=True)
    def authenticate(self, call: Command, http: PartnerHttp) -> Receipt:
        """Say whether the card and the password that a person typed belong together.

        A library that cannot be asked is no fault of the profile: records are still made and changed.
        """
        answer = self._patrons.prove(
            http, str(call.data["card_number"]), str(call.data["password"])
        )
        if answer.status in {403, 404}:
            raise http.failure(PartnerRejectedError, f"not_offered: HTTP {answer.status}")
        if answer.status == 400:
            is_old = answer.problem().get("error") == "Password expired"
            return Receipt(data={"is_proved": False, "is_expired": is_old})
        patron_id = str(answer.fields().integer("patron_id"))
        return Receipt(external_ref=patron_id, data={"is_proved": True, "is_expired": False})

    @operation("erase", pivot=True)
    def erase(self, call: Command, http: PartnerHttp) -> ErasureReceipt:
        """Delete a provisional record; a real membership is the library's own to erase."""
        patron_id = call.data.get("external_ref") or self._patrons.bearing(
            http, call.data["our_ref"]
        )
        patron = None if patron_id is None else self._patrons.read(http, patron_id)
        if patron_id is None or patron is None:
            return ErasureReceipt(state="done")
        self._patrons.must_be_ours(http, patron, call.data["our_ref"])
        if patron.text("category_id") != call.binding["provisional_category"]:
            reason = "Adhésion active : la bibliothèque efface la fiche elle-même."
            return ErasureReceipt(state="kept", reason=reason)
        self._patrons.delete(http, patron_id)
        return ErasureReceipt(state="done")

    def _created(
        self, call: Command, http: PartnerHttp, *, category: str, expires_on: str | None
    ) -> str:
        our_ref = str(call.data["our_ref"])
        if call.may_repeat:
            found = self._patrons.bearing(http, our_ref)
            if found is not None:
                return found
        body = new_patron(
            call.data,
            library_id=str(call.binding["library_id"]),
            category=category,
            expires_on=expires_on,
        )
        body[self._patrons.reference_field] = our_ref
        answer = self._patrons.create(http, body)
        if answer.status == 409:
            found = self._patrons.bearing(http, our_ref)
            if found is not None:
                raise PartnerAlreadyDoneError(http.profile, http.operation, found)
            judge_conflict(http, answer)
        if answer.status == 400:
            judge_refusal(http, answer)
        return str(answer.fields().integer("patron_id"))

    def _replace(self, http: PartnerHttp, patron_id: str, whole: dict[str, Any]) -> None:
        answer = self._patrons.replace(http, patron_id, whole)
        match answer.status:
            case 400:
                judge_refusal(http, answer)
            case 404 if is_gone(http, answer):
                raise http.failure(PartnerRejectedError, "expired")
            case 409:
                judge_conflict(http, answer)
