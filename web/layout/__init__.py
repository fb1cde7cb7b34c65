"""Shared by both faces: templates, assets, headers, sessions, forms, translations."""
