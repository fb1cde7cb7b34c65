"""``python -m mock_partners.ovh_sms --port 0 --settings FILE.json``."""

from mock_partners.program import run

if __name__ == "__main__":
    raise SystemExit(run("ovh_sms"))
