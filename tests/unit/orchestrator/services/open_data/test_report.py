from orchestrator.services.open_data import rules
from orchestrator.services.open_data.report import Finding, Ledger, shown
from orchestrator.services.open_data.sources import LIBRARIES


def test_a_finding_says_where_what_and_the_two_values():
    finding = Finding(
        line=12, rule=rules.SPACES_COLLAPSED, column="Adresse", before="a  b", after="a b"
    )
    assert finding.sentence() == (
        "ligne 12, Adresse : corrigé, espaces superflus retirés : « a  b » → « a b »"
    )


def test_a_finding_about_a_row_says_no_column():
    finding = Finding(line=3, rule=rules.BLANK_LINE)
    assert finding.sentence() == "ligne 3 : signalé, ligne vide"


def test_foreign_text_is_shown_short_and_on_one_line():
    assert shown("a\nb\x1b[0m") == "a\ufffdb\ufffd[0m"
    assert len(shown("x" * 500)) == 60
    assert shown("x" * 60) == "x" * 60


def test_the_same_finding_is_told_once():
    ledger = Ledger(b"", LIBRARIES, None)
    for _ in range(2):
        ledger.add(Finding(line=3, rule=rules.BLANK_LINE))
    assert len(ledger.closed(rows_read=1, rows_kept=1).findings) == 1


def test_the_summary_counts_each_rule(reports):
    lines = reports["musees_paca.json"].summary()
    assert lines[0] == "musees_paca.json : 121 lignes retenues sur 121"
    assert "  refusé 3 fois : téléphone illisible, valeur ignorée [phone-unreadable]" in lines
    assert len(lines) == 15


def test_every_rule_has_its_own_slug_and_label():
    found = [value for value in vars(rules).values() if isinstance(value, rules.Rule)]
    assert len(found) > 30
    assert len({rule.slug for rule in found}) == len(found)
    assert len({rule.label for rule in found}) == len(found)
