"""A realm that answers what a test tells it, at the port of the service provider: no XML, no keys."""

import itertools
from datetime import timedelta

from schemas import clock
from schemas.errors import SamlRefusedError
from schemas.logins import (
    Binding,
    Departure,
    LogoutAnswered,
    LogoutAsked,
    SamlMessage,
    SignedIn,
)

REALM = "https://idp.test/realms/parvis"


class Realm:
    """Stands where ``ports.sign_in.ServiceProvider`` is wanted."""

    def __init__(self, issuer=REALM):
        self.issuer = issuer
        self._numbers = itertools.count(1)
        self.departures = {}
        self.answers = {}
        self.is_up = True

    def is_there(self):
        return self.is_up

    def metadata(self):
        return b"<metadata/>"

    def idp(self):
        return self.issuer

    def ask_login(self, *, relay_key, provider=None, is_forced=False):
        departure = Departure(
            request_id=f"_request{next(self._numbers)}-{relay_key[:6]}",
            url=f"{self.issuer}/login?RelayState={relay_key}",
        )
        self.departures[relay_key] = departure.request_id
        return departure

    def message(self, departure, **said):
        """What the browser brings back: ``said`` are attributes, ``name_id`` and ``session_index``."""
        relay = departure.url.partition("RelayState=")[2]
        key = f"answer{next(self._numbers)}"
        self.answers[key] = said
        return SamlMessage(binding=Binding.POST, text=key, relay_state=relay)

    def read_answer(self, message, *, asked):
        said = dict(self.answers.get(message.text) or {})
        if not said:
            raise SamlRefusedError("signature")
        name_id = said.pop("name_id")
        return SignedIn(
            issuer=self.issuer,
            request_id=asked.request_id,
            message_ids=(message.text, f"{message.text}-assertion"),
            name_id=name_id,
            session_index=said.pop("session_index", f"index-{name_id}"),
            valid_until=clock.utcnow() + timedelta(minutes=1),
            session_ends_at=None,
            attributes={name: (value,) for name, value in said.items()},
        )

    def ask_logout(self, *, name_id, session_index, relay_key):
        return Departure(
            request_id=f"_logout{next(self._numbers)}",
            url=f"{self.issuer}/logout?RelayState={relay_key}&name={name_id}",
        )

    def read_logout(self, message):
        name_id, _, index = message.text.partition("|")
        return LogoutAsked(
            request_id=f"_{message.text}",
            issuer=self.issuer,
            valid_until=clock.utcnow() + timedelta(minutes=5),
            name_id=name_id,
            session_index=index or None,
            relay_state=message.relay_state,
        )

    def answer_logout(self, asked):
        return f"{self.issuer}/answered"

    def read_logout_answer(self, message):
        if message.text == "unsigned":
            raise SamlRefusedError("unsigned")
        return LogoutAnswered(in_response_to=message.text, is_success=True)
