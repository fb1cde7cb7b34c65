"""SAML 2.0 service provider; the only room that knows saml2, xmlsec and lxml."""

from identity.saml.codes import Code
from identity.saml.config import SamlConfig
from identity.saml.keys import is_pair, new_key_pair
from identity.saml.provider import ServiceProvider

__all__ = ["Code", "SamlConfig", "ServiceProvider", "is_pair", "new_key_pair"]
