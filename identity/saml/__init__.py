"""SAML 2.0 service provider; the only room that knows saml2, xmlsec and lxml.

``ServiceProvider`` is in ``identity.saml.provider`` and not here: the library reads its schemas when it is
loaded, seconds that only a process which signs people in should spend.
"""

from identity.saml.codes import Code
from identity.saml.config import SamlConfig
from identity.saml.keys import is_pair, new_key_pair

__all__ = ["Code", "SamlConfig", "is_pair", "new_key_pair"]
