import pytest

from orchestrator.services.commune_directory import CommuneDirectory
from orchestrator.services.open_data.gazetteer import CommuneIndex


class Row:
    def __init__(self, code, *former):
        self.code, self.name, self.former_codes = code, f"Commune {code}", former


@pytest.fixture(scope="module")
def directory():
    return CommuneDirectory(index=CommuneIndex.of([Row("13055"), Row("04120", "04121")]))


@pytest.mark.parametrize(
    ("code", "commune"),
    [
        ("13055", "13055"),
        ("13201", "13055"),
        ("04121", "04120"),
        ("69123", "69123"),
        ("75113", "75056"),
        ("2A004", "2A004"),
        ("97411", "97411"),
        ("98818", "98818"),
    ],
)
def test_a_commune_we_know_or_cannot_check_passes(directory, code, commune):
    assert directory.resolve(code) == commune


@pytest.mark.parametrize("code", ["13999", "04999", "99999", "00001", "96001", "20004", "98000"])
def test_a_code_of_no_commune_is_unknown(directory, code):
    assert directory.resolve(code) is None
