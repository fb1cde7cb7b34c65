"""What one configuration of the service provider is told: whose sign-in it is, where, with which key."""

from dataclasses import dataclass, field

from schemas.logins import Face


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlConfig:
    """One face of the hub before one realm.

    ``public_url`` without a slash at its end; keys and certificates are PEM. ``next_certificate_pem``
    is announced beside the one in use while a key is being changed.
    """

    face: Face
    public_url: str
    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    idp_entity_id: str
    next_certificate_pem: bytes | None = field(default=None, repr=False)

    @property
    def base(self) -> str:
        """Return the address below which everything of this sign-in stands."""
        below = "/console/saml" if self.face is Face.CONSOLE else "/saml"
        return self.public_url + below

    @property
    def entity_id(self) -> str:
        """Return our name at the realm: where our description is."""
        return f"{self.base}/metadata"

    @property
    def acs(self) -> str:
        """Return where answers come."""
        return f"{self.base}/acs"

    @property
    def sls(self) -> str:
        """Return where messages about the end of a session come."""
        return f"{self.base}/sls"
