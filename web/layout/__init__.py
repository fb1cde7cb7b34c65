"""Shared by both faces: templates, assets, headers, sessions, forms, translations.

``install`` prepares the application once; ``dress`` gives one blueprint its hooks, so that routes
which speak to machines pay for none of this.
"""

from web.layout.errors import ErrorText, error_answer, error_page
from web.layout.setup import Face, LayoutSettings, dress, install

__all__ = [
    "ErrorText",
    "Face",
    "LayoutSettings",
    "dress",
    "error_answer",
    "error_page",
    "install",
]
