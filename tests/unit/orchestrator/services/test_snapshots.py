import threading

import pytest

from orchestrator.services.snapshots import Snapshot
from schemas.errors import StoreUnavailableError


class Source:
    def __init__(self):
        self.reads, self.elapsed, self.is_down = 0, 0.0, False

    def read(self):
        if self.is_down:
            raise StoreUnavailableError
        self.reads += 1
        return self.reads

    def snapshot(self):
        return Snapshot(self.read, monotonic=lambda: self.elapsed)


@pytest.fixture
def source():
    return Source()


def test_a_fresh_copy_is_not_read_again(source):
    held = source.snapshot()
    assert [held.get(), held.get()] == [1, 1]


def test_a_copy_is_renewed_before_it_is_too_old(source):
    held = source.snapshot()
    held.get()
    source.elapsed = 0.6
    assert held.get() == 2


def test_a_copy_that_is_too_old_is_never_used(source):
    held = source.snapshot()
    held.get()
    source.elapsed, source.is_down = 1.0, True
    with pytest.raises(StoreUnavailableError):
        held.get()


def test_a_failed_read_leaves_the_door_open_for_the_next(source):
    held = source.snapshot()
    source.is_down = True
    with pytest.raises(StoreUnavailableError):
        held.get()
    source.is_down = False
    assert held.get() == 1


def test_others_go_on_with_the_copy_at_hand_while_one_renews(source):
    held = source.snapshot()
    held.get()
    source.elapsed = 0.6
    reading, finish, seen = threading.Event(), threading.Event(), []
    first = source.read

    def slow():
        reading.set()
        finish.wait(5)
        return first()

    held._read = slow
    renewer = threading.Thread(target=lambda: seen.append(held.get()))
    renewer.start()
    reading.wait(5)
    assert held.get() == 1
    finish.set()
    renewer.join(5)
    assert seen == [2]
