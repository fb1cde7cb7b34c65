"""What an agent reads of a case."""

import re
from pathlib import Path

from identity.linking import Rule
from parvis.cli.citizens import SENTENCES

HOW_TO = Path(__file__).parents[4] / "docs/how-to/look-at-an-identity.md"
NO_CASE = {
    *(Rule.KNOWN_SUBJECT, Rule.KNOWN_ACCOUNT, Rule.NEW_PERSON, Rule.SIX_EQUAL),
    *(Rule.BOTH_PROVED, Rule.LINKED_AGAIN, Rule.OTHER_PERSON),
}
OF_SERVICES = {"account_exists", "card_elsewhere"}


def test_every_rule_that_opens_a_case_has_its_sentence_and_its_line_for_the_agent():
    explained = re.findall(r"^\| `(\w+)` \|", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(SENTENCES) == {str(rule) for rule in set(Rule) - NO_CASE} | OF_SERVICES
    assert set(explained) == set(SENTENCES)
