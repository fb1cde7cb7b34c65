"""What every page of Mon espace does before it acts: a session first, a button that is ours, a realm that is there."""

from collections.abc import Callable

from flask import Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from schemas.errors import IdentityUnavailableError
from web.layout.forms import PageForm


class ActForm(PageForm):
    """A button that changes something; its token keeps others from pressing it."""


def sign_in_first(endpoint: str) -> ResponseReturnValue:
    """Send somebody without a session to sign in, then back."""
    return redirect(url_for("citizen.sign_in", vers=url_for(endpoint)), 303)


def away_or(depart: Callable[[], Response]) -> ResponseReturnValue:
    """Send the browser to the realm, or say that it is away."""
    try:
        return depart()
    except IdentityUnavailableError:
        return render_template("citizen/away.html"), 503
