"""One worker process of the product, as in production, that knows the measures' journeys too."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from benchmarks.hub import city  # noqa: E402

city.install()

from parvis import worker  # noqa: E402

if __name__ == "__main__":
    sys.exit(worker.main())
