"""A realm of the fake identity provider and the service provider of ours that faces it, without a network."""

import hashlib

from identity.saml import SamlConfig, new_key_pair
from identity.saml.provider import ServiceProvider
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.drafts import Answering
from mock_partners.keycloak.keys import KeyRing
from orchestrator.services.ports.sign_in import Descriptor
from schemas import clock
from schemas.logins import Asked, Binding, Face, SamlMessage

ISSUER = "https://idp.test/realms/parvis"
HUB = "https://hub.test"
ATTRIBUTES = {
    "kc_user": "4be0643f-1d98-573b-97cd-ca98a65347dd",
    "idp_alias": "france-connect",
    "fc_acr": "eidas1",
    "fc_sub": "0" * 64 + "v1",
}


class Descriptions:
    """The realm's description as rows would keep it; ``published`` is what a fetch would find."""

    def __init__(self, xml):
        self.known = self.published = xml
        self.fetches = 0
        self.is_allowed = True

    def current(self):
        digest = hashlib.sha256(self.known).digest()
        return Descriptor(xml=self.known.decode(), digest=digest, fetched_at=clock.utcnow())

    def is_there(self):
        return True

    def refresh(self):
        if self.is_allowed:
            self.fetches += 1
            self.known = self.published
        return self.current()


class Facing:
    """One service provider before one realm."""

    def __init__(self, *, face=Face.CITIZEN, ring=None):
        self.ring = ring or KeyRing()
        self.descriptions = Descriptions(descriptor(ISSUER, self.ring.pairs))
        key, certificate = new_key_pair(HUB)
        self.config = SamlConfig(
            face=face,
            public_url=HUB,
            key_pem=key,
            certificate_pem=certificate,
            idp_entity_id=ISSUER,
        )
        self.provider = ServiceProvider(config=self.config, descriptors=self.descriptions)

    def publish(self):
        self.descriptions.published = descriptor(ISSUER, self.ring.pairs)

    def about(self, **changes):
        values = {
            "issuer": ISSUER,
            "audience": self.config.entity_id,
            "acs": self.config.acs,
            "request_id": "_a_request",
            "key": self.ring.active,
            "attributes": ATTRIBUTES,
        }
        return Answering(**{**values, **changes})

    def read(self, text, *, request_id="_a_request"):
        message = SamlMessage(binding=Binding.POST, text=text, relay_state="r")
        return self.provider.read_answer(message, asked=Asked(request_id=request_id, relay_key="r"))

    def answered(self, change=None, **changes):
        return self.read(answer(self.about(**changes), change))
