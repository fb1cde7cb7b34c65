"""``python -m mock_partners --settings FILE.json``: every system of a city in one process."""

from mock_partners.program import run_city

if __name__ == "__main__":
    raise SystemExit(run_city())
