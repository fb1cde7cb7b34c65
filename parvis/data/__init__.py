"""Open data shipped with Parvis, byte for byte as extracted; sources and licences in ``NOTICE.md``."""
