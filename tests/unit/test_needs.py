"""Nothing of the suite goes missing unnoticed."""

import pytest
from needs import need, need_root


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "QINGNIAO_REQUIRE_ENGINES"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_there_is_used() -> None:
    need(True, "A server is there.")


def test_what_is_missing_is_skipped_with_its_sentence() -> None:
    with pytest.raises(pytest.skip.Exception, match="There is no server"):
        need(False, "There is no server.")


@pytest.mark.parametrize("name", ["CI", "QINGNIAO_REQUIRE_ENGINES"])
def test_it_fails_where_it_has_to_be_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "true")
    with pytest.raises(pytest.fail.Exception, match="There is no server"):
        need(False, "There is no server.")


def test_only_root_may_is_skipped_in_ci_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.skip.Exception, match="Mounting takes root"):
        need_root("Mounting")
