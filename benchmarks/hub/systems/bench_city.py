"""A system for the measures: each operation posts one small JSON and reads one small answer."""

from benchmarks.hub.city import OFFICES, SYSTEMS
from connectors.kit import Connector, Manifest, PartnerHttp, Setting, operation
from schemas.commands import Command
from schemas.receipts import ProbeLevel, Receipt


class BenchCity(Connector):
    """Speaks to the measures' partner through the kit, like every other connector."""

    manifest = Manifest(
        name="bench_city",
        title="Système des mesures",
        kinds=frozenset({*OFFICES, *SYSTEMS}),
        settings=(
            Setting(
                "base_url",
                kind="url",
                title="Adresse",
                help="Adresse du système des mesures.",
                example="http://127.0.0.1:8000/fast",
            ),
        ),
    )

    def check(self, level: ProbeLevel, transport: PartnerHttp) -> None:  # noqa: ARG002
        """Ask anything: it answers everything alike."""
        transport.get("/health")

    @operation("card", undo="cancel_card")
    def card(self, call: Command, http: PartnerHttp) -> Receipt:
        """Ask for a card."""
        return _asked(call, http)

    @operation("cancel_card", pivot=True)
    def cancel_card(self, call: Command, http: PartnerHttp) -> Receipt:
        """Take the card back."""
        return _asked(call, http)

    @operation("account", undo="cancel_account")
    def account(self, call: Command, http: PartnerHttp) -> Receipt:
        """Ask for an account."""
        return _asked(call, http)

    @operation("cancel_account", pivot=True)
    def cancel_account(self, call: Command, http: PartnerHttp) -> Receipt:
        """Take the account back."""
        return _asked(call, http)

    @operation("welcome", pivot=True)
    def welcome(self, call: Command, http: PartnerHttp) -> Receipt:
        """Ask for a word of welcome."""
        return _asked(call, http)


def _asked(call: Command, http: PartnerHttp) -> Receipt:
    answer = http.post(f"/{call.operation}", json=call.data, idempotency_key=call.key).fields()
    return Receipt(external_ref=answer.text("id"), data={"code": answer.text("access_code")})
