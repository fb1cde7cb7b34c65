"""gunicorn's settings for the floor: the same as the product's, where they cost or save time."""

from gevent import monkey

monkey.patch_all()

workers = 2
worker_class = "gevent"
worker_connections = 1000
control_socket_disable = True
timeout = 10
keepalive = 15
accesslog = None
errorlog = "-"
loglevel = "warning"
wsgi_app = "benchmarks.floor_intake:application()"
