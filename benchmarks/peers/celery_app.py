"""The journey in Celery: a chain of three tasks on a quorum queue, acknowledged late, confirmed."""

from typing import Any

from celery import Celery, chain
from kombu.entity import Queue

from benchmarks.floor_work import CALLS, Work
from benchmarks.peers import rows

WORK = Work.read()
app = Celery("bench", broker=WORK.broker_url)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=4,
    task_default_queue=WORK.queue,
    task_default_queue_type="quorum",
    task_queues=[
        Queue(WORK.queue, routing_key=WORK.queue, queue_arguments={"x-queue-type": "quorum"})
    ],
    worker_detect_quorum_queues=True,
    broker_native_delayed_delivery_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    broker_heartbeat=0,  # it is held between its passes
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
)


@app.task
def first(event: dict[str, Any]) -> None:
    """Make the row and ask for a card."""
    rows.begin(event)
    rows.step(event, 1, CALLS[0])


@app.task
def second(event: dict[str, Any]) -> None:
    """Ask for an account."""
    rows.step(event, 2, CALLS[1])


@app.task
def third(event: dict[str, Any]) -> None:
    """Ask for a word of welcome."""
    rows.step(event, 3, CALLS[2])


def send(events: list[dict[str, Any]]) -> None:
    """Begin a chain for each event."""
    with app.producer_pool.acquire(block=True) as producer:
        for event in events:
            tasks = chain(first.si(event), second.si(event), third.si(event))
            tasks.apply_async(producer=producer)
