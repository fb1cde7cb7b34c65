from orchestrator.api import openapi, publish


def test_the_published_openapi_document_is_what_the_code_says():
    assert publish.PUBLISHED.read_text("utf-8") == openapi.written(), (
        "run: python -m orchestrator.api.publish"
    )


def test_check_tells_a_stale_document(tmp_path, capsys):
    assert publish.main(["--check"]) == 0
    assert publish.main(["--other"]) == 2
    assert "usage" in capsys.readouterr().err
