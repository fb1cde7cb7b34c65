"""SAML answers as Keycloak writes them, and the same with one thing wrong.

``answer`` makes a valid one; ``change`` names one alteration of ``BEFORE`` (made before anything is signed:
the signatures hold) or of ``AFTER`` (made afterwards, as an attacker would).
"""

import base64

from lxml import etree

from mock_partners.keycloak.alterations import BEFORE, Alteration
from mock_partners.keycloak.attacks import AFTER
from mock_partners.keycloak.drafts import NS, Answering, drafted, sign

__all__ = ["answer"]


def answer(about: Answering, change: str | Alteration | None = None) -> str:
    """One answer, base64; ``change`` is the one thing that is wrong with it, or its name."""
    root = drafted(about)
    if callable(change):
        change(root, about)
    elif change in BEFORE:
        BEFORE[change](root, about)
    elif change is not None and change not in AFTER:
        msg = f"no alteration is named {change!r}"
        raise ValueError(msg)
    assertion = root.find("a:Assertion", NS)
    if assertion is not None:
        sign(assertion, about)
    sign(root, about)
    text = bytes(etree.tostring(root))
    if isinstance(change, str) and change in AFTER:
        text = AFTER[change](root, about)
    return base64.b64encode(text).decode()
