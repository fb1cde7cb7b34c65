"""The pair of keys the hub signs SAML messages with: made once, renewed without a refused sign-in.

Two certificates may be announced together: the one in use, and beside it the next one before the
change or the previous one after it, while processes that have not been restarted still sign with it.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509

from identity.saml.keys import new_key_pair
from orchestrator.store.journal import JournalEntry
from orchestrator.store.secrets import SecretRows
from schemas import clock
from schemas.errors import ConflictError

KEY: Final = "saml_key"
CERTIFICATE: Final = "saml_certificate"
NEXT_KEY: Final = "saml_key_next"
BESIDE: Final = "saml_certificate_next"
NAMES: Final = (KEY, CERTIFICATE, NEXT_KEY, BESIDE)
_THEN_APPLY: Final = "Lancez « parvis identity apply » pour que Keycloak le sache"


class SamlKeys:
    """The rows that hold the pair, and the steps of its renewal."""

    def __init__(self, secrets: SecretRows, *, public_url: str) -> None:
        self._secrets = secrets
        self._public_url = public_url

    def make(self, *, actor: str) -> tuple[str, ...]:
        """Make the pair where there is none; returns what to say."""
        values = self._values()
        if CERTIFICATE in values:
            return self._shown(values)
        key, certificate = self._fresh()
        self._put("made", {KEY: key, CERTIFICATE: certificate}, actor=actor)
        return ("Paire de clés SAML faite.", *self._shown(self._values()), f"{_THEN_APPLY}.")

    def add_next(self, *, actor: str) -> tuple[str, ...]:
        """Make the next pair and announce its certificate; returns what to say.

        Raises:
            ConflictError: there is none to renew, or a next one waits already.
        """
        values = self._values()
        if CERTIFICATE not in values:
            raise ConflictError("Il n'y a pas encore de paire : « parvis identity keys » la fait.")
        if NEXT_KEY in values:
            raise ConflictError("Une paire suivante attend déjà : « --switch » la met en service.")
        key, certificate = self._fresh()
        self._put("next", {NEXT_KEY: key, BESIDE: certificate}, actor=actor)
        return (
            (
                "Paire suivante faite ; son certificat est annoncé dans nos métadonnées après un "
                "redémarrage des processus web."
            ),
            (
                "« parvis identity apply --metadata-keys » les fait relire à Keycloak ; ensuite "
                "« parvis identity keys --switch »."
            ),
        )

    def switch(self, *, actor: str) -> tuple[str, ...]:
        """Put the next pair in use; the former certificate stays announced. Returns what to say.

        Raises:
            ConflictError: no next pair waits.
        """
        values = self._values()
        if NEXT_KEY not in values or BESIDE not in values:
            raise ConflictError("Aucune paire suivante n'attend : « --rotate » en fait une.")
        changed = {
            KEY: values[NEXT_KEY],
            CERTIFICATE: values[BESIDE],
            NEXT_KEY: None,
            BESIDE: values[CERTIFICATE],
        }
        self._put("switched", changed, actor=actor)
        return (
            "La paire suivante est en service ; l'ancien certificat reste annoncé à côté.",
            (
                f"{_THEN_APPLY}, puis redémarrez les processus web l'un après l'autre ; enfin "
                "« parvis identity keys --retire » ôte l'ancien."
            ),
        )

    def retire(self, *, actor: str) -> tuple[str, ...]:
        """Stop announcing the former certificate; returns what to say.

        Raises:
            ConflictError: what is announced beside is the next one, not the former.
        """
        values = self._values()
        if NEXT_KEY in values:
            raise ConflictError(
                "Le certificat annoncé à côté est le suivant : « --switch » d'abord."
            )
        self._put("retired", {BESIDE: None}, actor=actor)
        return ("Un seul certificat est annoncé ; redémarrez les processus web.",)

    def state(self) -> dict[str, Any]:
        """Return what may be shown of the pair."""
        values = self._values()
        return {
            "in_use": _told(values.get(CERTIFICATE)),
            "beside": _told(values.get(BESIDE)),
            "is_next_waiting": NEXT_KEY in values,
        }

    def _put(self, step: str, values: Mapping[str, str | None], *, actor: str) -> None:
        digest = (_told(values.get(CERTIFICATE) or values.get(BESIDE)) or {}).get("sha256", "")
        record = {"key": "saml", "step": step, "certificate": digest}
        entry = JournalEntry(type="key.rotated", actor_ref=actor, record=record)
        self._secrets.put_together(values, actor=actor, entry=entry)

    def _values(self) -> Mapping[str, str]:
        return self._secrets.values(NAMES)

    def _fresh(self) -> tuple[str, str]:
        key, certificate = new_key_pair(self._public_url)
        return key.decode("ascii"), certificate.decode("ascii")

    def _shown(self, values: Mapping[str, str]) -> tuple[str, ...]:
        lines = [f"Certificat en service : {_sentence(values[CERTIFICATE])}"]
        if BESIDE in values:
            which = "suivant" if NEXT_KEY in values else "précédent"
            lines.append(f"Certificat {which}, annoncé à côté : {_sentence(values[BESIDE])}")
        return tuple(lines)


def _told(pem: str | None) -> dict[str, str] | None:
    if pem is None:
        return None
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    digest = hashlib.sha256(base64.b64decode("".join(pem.splitlines()[1:-1]))).hexdigest()
    return {"sha256": digest, "until": clock.rfc3339(certificate.not_valid_after_utc)}


def _sentence(pem: str) -> str:
    told = _told(pem) or {}
    return f"jusqu'au {told['until'][:10]}, empreinte SHA-256 {told['sha256'][:16]}…"
