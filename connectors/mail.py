"""Connector for e-mail: one plain-text message to one person through the city's SMTP server.

SMTP knows no idempotency key: the Message-ID is made of the call's key, so that a repetition after a lost
answer is the same message to every server and mailbox that looks. See docs/partners/mail.md.
"""

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from connectors.kit import (
    Connector,
    Manifest,
    PersonalField,
    Secret,
    Setting,
    SmtpFace,
    Transport,
    operation,
)
from schemas import clock
from schemas.commands import Command
from schemas.errors import PartnerRejectedError
from schemas.receipts import ProbeLevel, Receipt

ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
)
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Mail(Connector):
    """Sends one e-mail."""

    manifest = Manifest(
        name="mail",
        title="Courrier électronique (SMTP)",
        kinds=frozenset({"message"}),
        capabilities=frozenset({"email"}),
        transport=Transport.SMTP,
        settings=(
            Setting(
                "host",
                kind="host",
                title="Serveur SMTP",
                help="Nom du serveur d'envoi de la collectivité.",
                example="smtp.example.org",
            ),
            Setting(
                "port",
                kind="integer",
                title="Port",
                help="Port 587 avec STARTTLS, 465 avec TLS ou 25 sans chiffrement.",
                example=587,
                default=587,
                required=False,
            ),
            Setting(
                "security",
                title="Chiffrement",
                help="« starttls », « tls » (dès la connexion) ou « none » (réseau interne seulement).",
                example="starttls",
                default="starttls",
                required=False,
                choices=("starttls", "tls", "none"),
            ),
            Setting(
                "sender",
                kind="email",
                title="Adresse d'expédition",
                help="Adresse qui apparaît comme expéditeur ; son domaine doit autoriser ce serveur.",
                example="bibliotheque@example.org",
            ),
            Setting(
                "sender_name",
                title="Nom d'expédition",
                help="Nom montré à côté de l'adresse.",
                example="Bibliothèques de la ville",
                required=False,
            ),
            Setting(
                "default_subject",
                title="Objet par défaut",
                help="Objet des messages dont le modèle n'en donne pas ; jamais de donnée personnelle.",
                example="Un message de votre bibliothèque",
                default="Un message de votre bibliothèque",
                required=False,
            ),
            Setting(
                "username",
                title="Compte",
                help="Compte d'envoi ; vide si le serveur reconnaît l'adresse du nôtre.",
                example="parvis",
                required=False,
            ),
            Secret(
                "password", title="Mot de passe", help="Mot de passe du compte.", required=False
            ),
        ),
        personal_fields=(
            PersonalField(
                name="to", pii="contact", purpose="access_code.delivery", eraser="operator"
            ),
            PersonalField(
                name="text", pii="free_text", purpose="access_code.delivery", eraser="operator"
            ),
        ),
    )

    def check(self, level: ProbeLevel, transport: SmtpFace) -> None:
        """Greet the server, log in, then offer our sender without sending anything."""
        match level:
            case ProbeLevel.REACHABLE:
                transport.greet()
            case ProbeLevel.AUTHENTICATED:
                transport.log_in(self._user, self._password)
            case ProbeLevel.TRANSACTION:
                transport.offer(self._sender, user=self._user, password=self._password)

    @operation("send", pivot=True)
    def send(self, call: Command, smtp: SmtpFace) -> Receipt:
        """Hand one message to the server; its Message-ID is the reference."""
        recipient = str(call.data["to"])
        if ADDRESS.fullmatch(recipient) is None:
            raise smtp.failure(PartnerRejectedError, "invalid_address")
        subject = str(call.data.get("subject") or self.settings["default_subject"])
        if CONTROL.search(subject) or recipient.lower() in subject.lower():
            raise smtp.failure(PartnerRejectedError, "subject_refused")
        message = _message(call, sender=self._from(call), subject=subject, now=clock.utcnow())
        smtp.send(message, sender=self._sender, user=self._user, password=self._password)
        return Receipt(external_ref=str(message["Message-ID"]), data={"segments": 1})

    def _from(self, call: Command) -> Address:
        name = call.data.get("sender") or self.settings.get("sender_name") or ""
        return Address(display_name=CONTROL.sub(" ", str(name)), addr_spec=self._sender)

    @property
    def _sender(self) -> str:
        return str(self.settings["sender"])

    @property
    def _user(self) -> str | None:
        return self.settings.get("username") or None

    @property
    def _password(self) -> str | None:
        return self.secrets.get("password") or None


def _message(call: Command, *, sender: Address, subject: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = (
        f"<{hashlib.sha256(call.key.encode()).hexdigest()[:40]}@{sender.domain}>"
    )
    message["Date"] = format_datetime(now)
    message["From"] = sender
    message["To"] = Address(addr_spec=str(call.data["to"]))
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(str(call.data["text"]), charset="utf-8", cte="quoted-printable")
    return message
