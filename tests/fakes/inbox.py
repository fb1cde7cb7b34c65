from collections import Counter, defaultdict

from schemas import ids
from schemas.errors import EventIdReusedError, StoreUnavailableError
from schemas.messages import Accepted


class FakeInbox:
    """The inbox in memory; passes the same contract as the one on PostgreSQL."""

    def __init__(self):
        self.arrivals = {}
        self.runs = {}
        self.signals = defaultdict(list)
        self.counts = Counter()
        self.is_down = False

    def accept(self, arrival):
        self._check()
        message = arrival.message
        place = (message.source, message.id)
        if place in self.arrivals:
            first, message_id = self.arrivals[place]
            if first.body_digest != arrival.body_digest:
                raise EventIdReusedError
            return Accepted(status="duplicate", event_id=message.id, message_id=message_id)
        message_id = ids.uuid7()
        self.arrivals[place] = (arrival, message_id)
        if arrival.starts is not None:
            self._start(arrival)
        return Accepted(status="accepted", event_id=message.id, message_id=message_id)

    def state(self, source, event_id):
        self._check()
        if (source, event_id) not in self.arrivals:
            return None
        return "received" if self.arrivals[source, event_id][0].starts else "done"

    def count(self, partner, what):
        self._check()
        self.counts[partner, what] += 1

    @property
    def only(self):
        """The one arrival there is."""
        ((arrival, _),) = self.arrivals.values()
        return arrival

    def _start(self, arrival):
        run = (arrival.starts.journey, arrival.starts.key)
        if run in self.runs:
            self.signals[run].append(arrival.message.type)
        else:
            self.runs[run] = arrival.starts.data

    def _check(self):
        if self.is_down:
            raise StoreUnavailableError
