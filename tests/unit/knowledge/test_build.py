"""Builds: complete or absent, the same for the same content, and quick enough for a first start."""

import multiprocessing
import time
from pathlib import Path

import msgspec
import pytest

from qingniao import samples, training
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.importing import read_knowledge
from qingniao.training import NotBuilt, build, encode_corpus, open_current

ENTRIES = tuple(Entry(id=q, question=q, answer="好") for q in ("怎么退货", "怎么换货"))
INTENTS = {"question": ("退货吗",), "greeting": ("你好",)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.json"
    path.write_bytes(encode_corpus(entries=ENTRIES, intents=INTENTS))
    return path


def test_build_can_be_opened(source: Path, tmp_path: Path) -> None:
    report = build(source, tmp_path / "k")
    built = open_current(tmp_path / "k")
    assert built.version == built.retriever.version == report.version
    assert (report.entries, report.wordings, report.examples) == (2, 2, 2)
    assert built.retriever.search("退货")[0].entry == ENTRIES[0]
    assert set(built.intents.labels) == set(INTENTS)


def test_same_content_is_not_built_twice(source: Path, tmp_path: Path) -> None:
    first, second = (build(source, tmp_path / "k") for _ in range(2))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.version == second.version


def test_failed_build_leaves_the_current_one(source: Path, tmp_path: Path) -> None:
    version = build(source, tmp_path / "k").version
    source.write_bytes(encode_corpus(entries=ENTRIES, intents={"one": ("a",)}))
    with pytest.raises(ValueError, match="two labels"):
        build(source, tmp_path / "k")
    source.write_bytes(b"{")
    with pytest.raises(msgspec.MsgspecError):
        build(source, tmp_path / "k")
    assert open_current(tmp_path / "k").version == version
    assert not [path for path in (tmp_path / "k").iterdir() if path.name.startswith(".")]


def test_torn_version_is_built_again(source: Path, tmp_path: Path) -> None:
    version = build(source, tmp_path / "k").version
    (tmp_path / "k" / version / training.MANIFEST).unlink()
    assert build(source, tmp_path / "k").is_new


def test_old_versions_go_and_the_last_two_stay(source: Path, tmp_path: Path) -> None:
    versions = []
    for n in range(4):
        entry = Entry(id="1", question=f"q{n}", answer="a")
        source.write_bytes(encode_corpus(entries=[entry], intents=INTENTS))
        versions.append(build(source, tmp_path / "k").version)
    left = {path.name for path in (tmp_path / "k").iterdir() if path.is_dir()}
    assert len(left) == training.KEPT
    assert versions[-1] in left


def test_nothing_built_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt):
        open_current(tmp_path)
    (tmp_path / "current").write_text("0" * 16)
    with pytest.raises(NotBuilt):
        open_current(tmp_path)


def test_sample_is_built_in_a_fresh_process_in_time_for_a_first_start(tmp_path: Path) -> None:
    entries = read_knowledge(samples.knowledge_file()).entries
    source = tmp_path / "corpus.json"
    source.write_bytes(encode_corpus(entries=entries, intents=samples.intents()))
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        report = pool.apply(build, (source, tmp_path / "k"))
    took_s = time.perf_counter() - started
    assert report.entries == len(entries)
    # Alone on the machine it takes half a second; beside other work it must still fit a slow start.
    assert took_s < 10
    assert open_current(tmp_path / "k").retriever.search("怎么退货")[0].confidence > 0.5
