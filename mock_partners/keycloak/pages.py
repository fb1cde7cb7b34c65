"""The pages of the double: who signs in, the form that carries the answer, the end. No script is needed."""

from collections.abc import Iterable
from html import escape

from mock_partners.wire import Answer

__all__ = ["carrying", "choice", "ended", "failure"]

HTML = "text/html; charset=utf-8"
STYLE = (
    "body{font-family:system-ui,sans-serif;margin:0;background:#eef2f5;color:#161616}"
    "main{max-width:30rem;margin:6vh auto;background:#fff;padding:1.5rem 1.75rem;border-radius:.6rem;"
    "box-shadow:0 1px 6px #0003}h1{font-size:1.4rem;margin:0 0 .75rem}"
    ".double{background:#fff4d6;padding:.6rem .8rem;border-radius:.4rem;font-size:.95rem}"
    "button{display:block;width:100%;min-height:3rem;margin:.5rem 0;padding:.6rem 1rem;font:inherit;"
    "text-align:left;border:2px solid #4d4d9f;border-radius:.4rem;background:#fff;color:#161616}"
    "button.main{background:#000091;color:#fff;border-color:#000091;text-align:center}"
    "button:focus-visible,a:focus-visible{outline:3px solid #0a76f6;outline-offset:2px}"
)
_DOUBLE = (
    '<p class="double">Doublure du service de connexion : aucune de ces personnes n\'existe.</p>'
)


def choice(action: str, visit: str, people: Iterable[tuple[str, str]], *, title: str) -> Answer:
    """Who signs in: a button for each person."""
    buttons = "".join(
        f'<button name="person" value="{escape(key)}">{escape(shown)}</button>'
        for key, shown in people
    )
    form = (
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="visit" value="{escape(visit)}">{buttons}</form>'
    )
    return _page(title, _DOUBLE + form)


def carrying(action: str, fields: Iterable[tuple[str, str]]) -> Answer:
    """The form that carries a message to the service; it sends itself where scripts run."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields
    )
    form = (
        f'<form method="post" action="{escape(action)}">{hidden}'
        '<button class="main">Continuer</button></form>'
        "<script>document.forms[0].submit()</script>"
    )
    return _page("Vous êtes connecté", form)


def ended() -> Answer:
    """What is left once everything is over."""
    return _page("Vous êtes déconnecté", "<p>Vous pouvez fermer cette page.</p>")


def failure(text: str, *, status: int = 400) -> Answer:
    """The page of a request that is not served, as the real one words it."""
    return _page("Nous sommes désolés", f"<p>{escape(text)}</p>", status=status)


def _page(title: str, body: str, *, status: int = 200) -> Answer:
    document = (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – connexion (doublure)</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Answer(status=status, body=document.encode(), content_type=HTML, headers=headers)
