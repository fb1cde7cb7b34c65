"""Names agreed with the realms of the identity provider: what provisioning sets up and sign-in reads."""

from typing import Final

KC_USER: Final = "kc_user"
"""Attribute: the realm's own id of the person, equal to the ``sub`` of tokens."""
IDP_ALIAS: Final = "idp_alias"
"""Attribute: the alias of the provider behind the realm that signed the person in; absent for a local account."""
FC_ACR: Final = "fc_acr"
"""Attribute: the level FranceConnect answered with; only ever heard from a FranceConnect alias."""
FC_SUB: Final = "fc_sub"
"""Attribute: the subject FranceConnect knows the person by."""
USERNAME: Final = "username"
"""Attribute of the staff realm: the account's name, which roles are granted to."""
EMAIL_VERIFIED: Final = "email_verified"
"""Attribute: ``true`` when the realm proved the person's contact."""

REALM_SAML: Final = "realm_saml"
"""Alias of the login that a name id is."""
REALM_TOKEN: Final = "realm_token"  # noqa: S105 - a name, no secret
"""Alias of the login that a token's subject is."""
STAFF_SAML: Final = "staff_saml"
"""Alias of a login of the staff realm."""

HUB_CLIENT: Final = "parvis-hub"
"""Client of the realm that stands for the API: its id is the tokens' audience, its roles are rights."""
HUB_SCOPE: Final = "parvis-hub-api"
"""Client scope that puts the audience into a caller's tokens."""
HUB_ROLES: Final = ("catalogue:read",)
"""Rights an application may hold in its own name."""


def is_franceconnect(alias: str | None) -> bool:
    """Tell whether an alias is one of FranceConnect's."""
    return alias is not None and alias.startswith(("france-connect", "franceconnect"))
