"""SAML 2.0 service provider; comes with the identity work."""
