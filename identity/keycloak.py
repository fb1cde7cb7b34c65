"""Keycloak administration client; comes with the identity work."""
