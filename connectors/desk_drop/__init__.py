"""Connector for libraries that cannot be written to: a CSV file in a folder, for the desk.

The town's own tool carries the files to the library, where a person types them in. Format and what to
ask: docs/partners/desk_drop.md.
"""

from pathlib import Path
from typing import Any, Final

from connectors.desk_drop.window import ACTIVATION, PREREGISTRATION, WITHDRAWAL, Window
from connectors.kit import (
    Connector,
    FolderFace,
    Manifest,
    PersonalField,
    Setting,
    Transport,
    append_line,
    operation,
    rename,
)
from schemas.commands import Command
from schemas.errors import PartnerMisconfiguredError, PartnerRejectedError
from schemas.receipts import ErasureReceipt, ProbeLevel, Receipt

PURPOSE: Final = "library.preregistration"


def _kept(name: str, pii: str) -> PersonalField:
    return PersonalField(name=name, pii=pii, purpose=PURPOSE, eraser="erase")


class DeskDrop(Connector):
    """Stages pre-registrations in files; nothing is created in any system."""

    manifest = Manifest(
        name="desk_drop",
        title="Dépôt de fichiers pour le guichet",
        kinds=frozenset({"library"}),
        transport=Transport.FOLDER,
        settings=(
            Setting(
                "directory",
                kind="path",
                title="Dossier de dépôt",
                help="Dossier existant que l'outil de transfert de la collectivité relève.",
                example="/srv/parvis/depot/sorgues",
            ),
            Setting(
                "every",
                kind="duration",
                title="Rythme des fichiers",
                help="Un fichier au plus par période ; rien n'est déposé s'il n'y a rien à dire.",
                example="15min",
                default="15min",
                required=False,
            ),
        ),
        personal_fields=(
            _kept("nom", "identity"),
            _kept("prenom", "identity"),
            _kept("courriel", "contact"),
            _kept("telephone", "contact"),
            _kept("commune", "location"),
            _kept("reference", "reference"),
        ),
        periodic=(("close_window", "every"),),
    )

    def check(self, level: ProbeLevel, transport: FolderFace) -> None:
        """See the folder, then hold it alone, then write, rename and remove a file in it."""
        match level:
            case ProbeLevel.REACHABLE:
                if not transport.directory.is_dir():
                    raise transport.missing()
            case ProbeLevel.AUTHENTICATED:
                with transport.held():
                    pass
            case ProbeLevel.TRANSACTION:
                with transport.held() as directory:
                    _try_out(directory)

    @operation("preregister", undo="cancel_preregistration", purpose=PURPOSE)
    def preregister(self, call: Command, folder: FolderFace) -> Receipt:
        """Put one line in the window; the same reference again changes nothing."""
        if not call.data.get("family_name"):
            raise folder.failure(PartnerRejectedError, "no_name")
        our_ref = str(call.data["our_ref"])
        with folder.held() as directory:
            _window(directory, call, folder).put(PREREGISTRATION, our_ref, call.data)
        return Receipt(external_ref=our_ref, data={"state": "staged"})

    @operation("cancel_preregistration", pivot=True)
    def cancel_preregistration(self, call: Command, folder: FolderFace) -> Receipt:
        """Take the line back; one already carried away is followed by a line that withdraws it."""
        our_ref = str(call.data["our_ref"])
        with folder.held() as directory:
            is_withdrawn = _withdraw(_window(directory, call, folder), our_ref)
        return Receipt(
            external_ref=our_ref, data={"state": "withdrawn" if is_withdrawn else "cancelled"}
        )

    @operation("activate", purpose=PURPOSE, pivot=True)
    def activate(self, call: Command, folder: FolderFace) -> Receipt:
        """Tell the desk that the person came; who they are only if no line said it before."""
        our_ref = str(call.data["our_ref"])
        with folder.held() as directory:
            window = _window(directory, call, folder)
            is_known = window.has(PREREGISTRATION, our_ref)
            window.put(ACTIVATION, our_ref, {} if is_known else call.data)
        return Receipt(external_ref=our_ref, data={"state": "staged"})

    @operation("close_window", pivot=True)
    def close_window(self, call: Command, folder: FolderFace) -> Receipt:
        """Give the window its final name; an empty one gives no file."""
        with folder.held() as directory:
            name, lines = _window(directory, call, folder).close()
        return Receipt(external_ref=name, data={"lines": lines})

    @operation("erase", pivot=True)
    def erase(self, call: Command, folder: FolderFace) -> ErasureReceipt:
        """Take every line of the person back; of one already carried away a person must tell."""
        with folder.held() as directory:
            is_withdrawn = _withdraw(_window(directory, call, folder), str(call.data["our_ref"]))
        if not is_withdrawn:
            return ErasureReceipt(state="done")
        reason = "Ligne déjà transmise : le guichet efface sa copie à réception de l'annulation."
        return ErasureReceipt(state="unknown", reason=reason)


def _withdraw(window: Window, our_ref: str) -> bool:
    """Take the waiting lines back; return whether one was already carried away."""
    window.take_back(our_ref)
    if not (window.is_closed(PREREGISTRATION, our_ref) or window.is_closed(ACTIVATION, our_ref)):
        return False
    window.put(WITHDRAWAL, our_ref, {})
    return True


def _window(directory: Path, call: Command, folder: FolderFace) -> Window:
    service: Any = call.binding.get("service_id")
    try:
        return Window(directory, service)
    except ValueError as error:
        raise folder.failure(PartnerMisconfiguredError, "service_id") from error


def _try_out(directory: Path) -> None:
    draft, final = directory / ".essai.part", directory / ".essai"
    draft.unlink(missing_ok=True)
    append_line(draft, b"essai\r\n")
    rename(draft, final)
    final.unlink()
