"""What every page of Mon espace does before it acts: a session first, a button that is ours, a realm that is there."""

from collections.abc import Callable

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.ports.sign_in import Session
from orchestrator.services.sign_in import safe_path
from schemas.errors import IdentityUnavailableError
from schemas.logins import Level
from web.layout.forms import PageForm


class ActForm(PageForm):
    """A button that changes something; its token keeps others from pressing it."""


def sign_in_first(endpoint: str) -> ResponseReturnValue:
    """Send somebody without a session to sign in, then back."""
    return redirect(url_for("citizen.sign_in", vers=url_for(endpoint)), 303)


def prove_first(session: Session, endpoint: str) -> ResponseReturnValue:
    """Send somebody whose sign-in proves too little to a better proof, then back to what they did."""
    wanted = max(Level.ACCOUNT_PROVED, session.level + 1)
    return redirect(url_for("citizen.proof", vers=url_for(endpoint), niveau=int(wanted)), 303)


def onward_path() -> str:
    """Return where to go afterwards: a path of ours, or Mon espace."""
    return safe_path(request.args.get("vers") or url_for("citizen.space"))


def away_or(depart: Callable[[], Response]) -> ResponseReturnValue:
    """Send the browser to the realm, or say that it is away."""
    try:
        return depart()
    except IdentityUnavailableError:
        return render_template("citizen/away.html"), 503
