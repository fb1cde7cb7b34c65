"""SAML 2.0 service provider; the only room that knows saml2, xmlsec and lxml."""
