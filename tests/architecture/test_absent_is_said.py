import pytest

from tests.plugins import requirements

pytest_plugins = ["pytester"]

ABSENT = """
    from tests.plugins.requirements import require

    def test_pages():
        require("Chromium", "les pages", "apt-get install chromium")

    def test_sums():
        assert 1 + 1 == 2
"""
EXPECTED = """
    import pytest

    @pytest.mark.xfail
    def test_it():
        assert False
"""
PLUGIN = ("-p", "tests.plugins.requirements", "-p", "no:randomly", "-p", "no:playwright")


@pytest.fixture
def suite(pytester, monkeypatch):
    monkeypatch.delenv("PARVIS_REQUIRE_ALL", raising=False)
    return pytester


def test_what_is_absent_is_skipped_and_the_command_is_printed_before_the_last_line(suite):
    suite.makepyfile(ABSENT)

    ran = suite.runpytest_inprocess(*PLUGIN)

    ran.assert_outcomes(passed=1, skipped=1)
    ran.stdout.fnmatch_lines(
        ["*1 essais sautés, Chromium est absent*En root : apt-get install chromium", "*1 passed*"]
    )
    assert "1 passed" in ran.outlines[-1]


def test_everything_required_turns_the_skip_into_a_failure(suite, monkeypatch):
    monkeypatch.setenv("PARVIS_REQUIRE_ALL", "1")
    suite.makepyfile(ABSENT)

    ran = suite.runpytest_inprocess(*PLUGIN)

    ran.assert_outcomes(passed=1, failed=1)


def test_everything_required_turns_a_skipped_file_into_an_error(suite, monkeypatch):
    monkeypatch.setenv("PARVIS_REQUIRE_ALL", "1")
    suite.makepyfile("import pytest; pytest.importorskip('a_module_nobody_has')")

    ran = suite.runpytest_inprocess(*PLUGIN)

    ran.assert_outcomes(errors=1)


def test_an_expected_failure_stays_one_when_everything_is_required(suite, monkeypatch):
    monkeypatch.setenv("PARVIS_REQUIRE_ALL", "1")
    suite.makepyfile(EXPECTED)

    ran = suite.runpytest_inprocess(*PLUGIN)

    ran.assert_outcomes(xfailed=1)


def test_a_named_chromium_that_is_not_there_is_absent(monkeypatch):
    monkeypatch.setenv("PARVIS_TEST_CHROMIUM", "/nowhere/chromium")

    with pytest.raises(pytest.skip.Exception, match="Chromium absent"):
        requirements.chromium()


def test_a_named_postgresql_folder_is_used(monkeypatch, tmp_path):
    (tmp_path / "postgres").touch()
    monkeypatch.setenv("PARVIS_TEST_POSTGRESQL_15", str(tmp_path))

    assert requirements.postgresql_15() == tmp_path
