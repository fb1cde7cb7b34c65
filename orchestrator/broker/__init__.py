"""RabbitMQ: topology, publisher with its own confirm ledger, consumer. Comes with the durable engine; until then the embedded waker of the store does the waking."""
