"""``python -m mock_partners.keycloak --port 0 --settings FILE.json``."""

from mock_partners.program import run

if __name__ == "__main__":
    raise SystemExit(run("keycloak"))
