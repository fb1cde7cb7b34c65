import dataclasses

import pytest

from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from schemas.errors import EventIdReusedError
from schemas.messages import Message
from tests.fakes.inbox import FakeInbox

SOURCE = "/partners/volt_provence"


def arrival(event_id="e1", subject="s1", digest=b"one", journey="library.arrival"):
    message = Message(
        type="lease.signed.v1",
        source=SOURCE,
        id=event_id,
        subject=subject,
        data={"commune": "84129"},
    )
    starts = RunStart(journey=journey, version=1, key=f"{SOURCE} {subject}", data=message.data)
    return Arrival(message=message, body=b"{}", body_digest=digest, headers={}, starts=starts)


class InboxContract:
    def test_a_new_event_is_accepted_and_received(self, inbox):
        accepted = inbox.accept(arrival())
        assert (accepted.status, accepted.event_id) == ("accepted", "e1")
        assert inbox.state(SOURCE, "e1") == "received"

    def test_the_same_event_again_is_a_duplicate_of_the_first(self, inbox):
        first, again = inbox.accept(arrival()), inbox.accept(arrival())
        assert (again.status, again.message_id) == ("duplicate", first.message_id)

    def test_the_same_id_with_another_body_is_refused_and_changes_nothing(self, inbox):
        first = inbox.accept(arrival())
        with pytest.raises(EventIdReusedError):
            inbox.accept(arrival(digest=b"two"))
        assert inbox.accept(arrival()).message_id == first.message_id

    def test_the_same_id_of_another_source_is_another_event(self, inbox):
        inbox.accept(arrival())
        own = arrival()
        other = dataclasses.replace(
            own, message=dataclasses.replace(own.message, source=f"{SOURCE}/kiosk")
        )
        other = dataclasses.replace(other, starts=dataclasses.replace(own.starts, key="kiosk s1"))
        assert inbox.accept(other).status == "accepted"

    def test_a_second_event_about_the_same_subject_is_accepted_like_the_first(self, inbox):
        inbox.accept(arrival())
        assert inbox.accept(arrival(event_id="e2", digest=b"two")).status == "accepted"
        assert inbox.state(SOURCE, "e2") == "received"

    def test_an_event_that_starts_nothing_is_done_at_once(self, inbox):
        inbox.accept(dataclasses.replace(arrival(), starts=None))
        assert inbox.state(SOURCE, "e1") == "done"

    def test_an_unknown_event_has_no_state(self, inbox):
        assert inbox.state(SOURCE, "never") is None

    def test_counting_changes_no_event(self, inbox):
        inbox.count("volt_provence", "minimised")
        inbox.count("volt_provence", "minimised")
        assert inbox.state(SOURCE, "e1") is None


class TestFakeInbox(InboxContract):
    @pytest.fixture
    def inbox(self):
        return FakeInbox()


@pytest.mark.postgres
class TestPostgresInbox(InboxContract):
    @pytest.fixture
    def inbox(self, database, vault):
        return PostgresInbox(database, Committer(database), vault, Notifier(database))
