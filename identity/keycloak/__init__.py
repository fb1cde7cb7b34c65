"""Keycloak administration; the only room that knows its client library."""
