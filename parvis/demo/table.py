"""The closing table: what the database and the gateway counted, checked against each other."""

from dataclasses import asdict, dataclass
from statistics import median

from parvis.demo.story.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Milliseconds from an event's leaving to its text message being at the gateway."""

    median: float | None
    worst: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of one play; ``failure`` says what did not happen, if anything."""

    ok: bool
    failure: str | None
    events_received: int
    events_from_partners: int
    journeys_done: int
    journeys_waiting: int
    journeys_other: int
    calls_made: int
    calls_repeated: int
    messages_sent: int
    codes_redeemed: int
    event_to_sms_ms: Delays
    seconds: float

    def as_json(self) -> dict[str, object]:
        """Return the table as JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the table as French lines."""
        delays = self.event_to_sms_ms
        own = self.events_received - self.events_from_partners
        rows = {
            "Événements reçus": f"{self.events_received} "
            f"({self.events_from_partners} de partenaires, {own} de nos pages)",
            "Parcours terminés / en attente": f"{self.journeys_done} / {self.journeys_waiting}",
            "Appels faits / repris": f"{self.calls_made} / {self.calls_repeated}",
            "Messages envoyés": str(self.messages_sent),
            "Codes utilisés": str(self.codes_redeemed),
            "De l'événement au SMS": "aucun SMS"
            if delays.median is None
            else f"médiane {delays.median:.0f} ms, pire {delays.worst:.0f} ms",
        }
        width = max(map(len, rows))
        return [f"{name:<{width}}  {value}" for name, value in rows.items()]


def table_of(stage: Stage, *, failure: str | None, texts: int, seconds: float) -> Table:
    """Count what happened since the play began; ``texts`` is the gateway's own count of messages.

    A count of ours that the gateway denies is a failure like any other.
    """
    totals = stage.facts.totals(stage.since)
    if failure is None and totals["messages"] != texts:
        failure = f"{totals['messages']} messages notés, {texts} à la passerelle"
    return Table(
        ok=failure is None,
        failure=failure,
        events_received=totals["received"],
        events_from_partners=totals["from_partners"],
        journeys_done=totals["done"],
        journeys_waiting=totals["waiting"],
        journeys_other=totals["other"],
        calls_made=totals["calls"],
        calls_repeated=totals["repeated"],
        messages_sent=totals["messages"],
        codes_redeemed=totals["redeemed"],
        event_to_sms_ms=Delays(
            median=round(median(stage.delays), 1) if stage.delays else None,
            worst=round(max(stage.delays), 1) if stage.delays else None,
            count=len(stage.delays),
        ),
        seconds=round(seconds, 2),
    )
