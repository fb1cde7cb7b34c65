"""Sentences that more than one citizen page says."""

from flask_babel import gettext as _

from orchestrator.services.access_codes import Redemption


def code_sentence(outcome: Redemption) -> str:
    """Return what became of a typed code, and what to do."""
    if outcome is Redemption.NOT_YET:
        return str(
            _(
                "Votre préinscription est en train d'avancer. Réessayez dans une minute : le code reste bon."
            )
        )
    if outcome is Redemption.ALREADY_THERE:
        return str(
            _(
                "Vous avez déjà une inscription dans cette bibliothèque. L'accueil peut réunir les deux."
            )
        )
    if outcome is Redemption.NOT_PROVED_ENOUGH:
        return str(
            _(
                "Ce service demande une identité confirmée. Connectez-vous d'abord, puis retapez ce code : il reste bon."
            )
        )
    if outcome is Redemption.UNDER_REVIEW:
        help_is = _("Un agent doit vous aider")
        where = _("Passez à l'accueil de votre bibliothèque avec la carte et une pièce d'identité.")
        return f"{help_is}. {where}"
    if outcome is Redemption.UNREADABLE:
        return str(_("Un code d'accès a 10 lettres et chiffres, par exemple ABCDE-FGHJK."))
    if outcome is Redemption.TOO_MANY_TRIES:
        return str(
            _(
                "Trop d'essais. Réessayez dans une heure, ou demandez à l'accueil de la bibliothèque."
            )
        )
    return str(
        _(
            "Ce code n'ouvre rien : il est mal recopié, déjà utilisé, ou sa date est passée. Vérifiez-le."
        )
    )
