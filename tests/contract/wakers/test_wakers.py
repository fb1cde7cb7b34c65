"""What a worker may rely on, wherever its wakes come from."""

import time
from urllib.parse import urlsplit

import gevent
import pytest

from orchestrator.services.ports.waking import WakesAwayError
from schemas import ids
from tests.contract.wakers.rigs import BrokerRig, EmbeddedRig, acquired, nothing_comes, take
from tests.fakes.tcp_proxy import TcpProxy


class WakerContract:
    def test_a_wake_is_given_once_and_names_its_run(self, rig):
        run_id = ids.uuid7()
        waker = rig.active()

        rig.send(run_id)

        assert [wake.run_id for wake in take(waker, 1)] == [run_id]
        assert nothing_comes(waker)

    def test_what_was_sent_before_somebody_listened_is_given(self, rig):
        runs = [ids.uuid7() for _ in range(3)]
        rig.active().close()
        rig.send(*runs)

        assert {wake.run_id for wake in take(rig.active(), 3)} == set(runs)

    def test_no_more_is_given_than_asked_for(self, rig):
        waker = rig.active()
        rig.send(*(ids.uuid7() for _ in range(5)))
        first = take(waker, 2, most=2)
        assert len({wake.id for wake in [*first, *take(waker, 3)]}) == 5
        assert waker.take(0) == []

    def test_a_wake_comes_without_waiting_for_the_poll(self, rig):
        waker = rig.active()
        nothing_comes(waker)
        sender = gevent.spawn_later(0.05, rig.send, ids.uuid7())
        started = time.monotonic()

        with gevent.Timeout(3):
            while not waker.take(1):
                waker.wait(3)

        sender.join()
        assert time.monotonic() - started < 0.8

    def test_what_was_settled_is_given_to_nobody(self, rig):
        waker = rig.active()
        rig.send(*(ids.uuid7() for _ in range(4)))
        wakes = take(waker, 4)

        waker.settle([wakes[2].id, wakes[0].id])
        waker.settle([wakes[3].id])
        waker.settle([wakes[1].id])
        waker.close()

        assert nothing_comes(rig.active())

    def test_what_was_not_settled_is_given_to_the_next_one_as_redelivered(self, rig):
        waker = rig.active()
        rig.send(*(ids.uuid7() for _ in range(3)))
        first, second, third = take(waker, 3)
        waker.settle([second.id])
        waker.close()

        again = take(rig.active(), 2)

        assert {wake.run_id for wake in again} == {first.run_id, third.run_id}
        assert all(wake.redelivered for wake in again)

    def test_what_was_given_back_is_given_again(self, rig):
        waker = rig.active()
        rig.send(ids.uuid7())
        (wake,) = take(waker, 1)

        waker.give_back([wake.id])

        (again,) = take(waker, 1)
        assert again.run_id == wake.run_id
        waker.settle([again.id])
        assert nothing_comes(waker)

    def test_two_wakes_of_one_run_are_two(self, rig):
        waker, run_id = rig.active(), ids.uuid7()
        rig.send(run_id, run_id)

        wakes = take(waker, 2)

        assert wakes[0].id != wakes[1].id

    def test_ids_that_mean_nothing_are_let_pass(self, rig):
        waker = rig.active()
        waker.settle([77, 78])
        waker.give_back([79])
        rig.send(ids.uuid7())
        take(waker, 1)

    def test_a_drained_waker_takes_no_more_and_what_it_handed_out_can_be_settled(self, rig):
        waker = rig.active()
        rig.send(*(ids.uuid7() for _ in range(3)))
        (mine,) = take(waker, 1, most=1)

        waker.drain()

        assert nothing_comes(waker)
        waker.settle([mine.id])
        waker.close()
        assert mine.run_id not in {wake.run_id for wake in take(rig.active(), 2)}

    def test_closing_is_no_end_and_may_be_done_twice(self, rig):
        waker = rig.active()
        waker.close()
        waker.close()
        assert acquired(waker)
        rig.send(ids.uuid7())
        take(waker, 1)

    def test_a_broken_connection_is_said_and_acquired_anew(self, rig):
        waker = rig.active()
        rig.send(ids.uuid7(), ids.uuid7())
        settled, held = take(waker, 2)
        waker.settle([settled.id])
        nothing_comes(waker)
        rig.cut()

        with pytest.raises(WakesAwayError), gevent.Timeout(5):
            take(waker, 1)

        waker.close()
        assert acquired(waker)
        (again,) = take(waker, 1)
        assert again.run_id == held.run_id
        waker.settle([settled.id, held.id])
        waker.settle([again.id])
        assert nothing_comes(waker)


@pytest.mark.postgres
class TestEmbeddedWaker(WakerContract):
    @pytest.fixture
    def rig(self, database):
        made = EmbeddedRig(database)
        yield made
        made.close()

    def test_events_have_no_bus_to_go_to_and_are_let_go_of(self, rig, database):
        database.run("INSERT INTO outbox(topic, key) VALUES ('run.ended.v1', %s)", (ids.uuid7(),))
        rig.active().take(1)
        assert database.one("SELECT count(*) AS n FROM outbox")["n"] == 0

    def test_whatever_was_there_before_us_may_have_been_begun(self, rig, database):
        rig.send(*(ids.uuid7() for _ in range(5)))
        waker = rig.active()
        first, rest = waker.take(2), waker.take(9)
        rig.send(ids.uuid7())
        assert [wake.redelivered for wake in (*first, *rest)] == [True] * 5
        assert [wake.redelivered for wake in take(waker, 1)] == [False]


@pytest.mark.rabbitmq
class TestBrokerWaker(WakerContract):
    @pytest.fixture
    def rig(self, broker_url):
        proxy = TcpProxy(urlsplit(broker_url).port)
        url = broker_url.replace(f":{urlsplit(broker_url).port}/", f":{proxy.port}/")
        made = BrokerRig(url, proxy)
        yield made
        made.close()
        proxy.close()
