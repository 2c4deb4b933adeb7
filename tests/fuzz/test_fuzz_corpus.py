"""The fuzzers' corpus as ordinary tests: what was found once is tried for ever."""

from pathlib import Path

import pytest
from targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_input_breaks_nothing(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_fuzzer_would_notice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("targets.Session.check", breaks)
    for codec in ("targets.MSGPACK", "targets.JSON"):
        monkeypatch.setattr(f"{codec}.encode", breaks, raising=False)
    with pytest.raises(ZeroDivisionError):
        for path in (CORPUS / name).iterdir():
            TARGETS[name](path.read_bytes())
