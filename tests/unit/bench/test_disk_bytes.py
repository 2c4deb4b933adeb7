"""What the engines of `disk-bytes` are given is the same, is new, and is what it is said to be."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench.disk import counting, messages, servers  # noqa: E402  the benches are not installed

from qingniao.errors import StartError  # noqa: E402


def test_messages_are_the_same_for_everybody_and_each_is_new() -> None:
    said = list(messages.spoken(2_000))
    assert said == list(messages.spoken(2_000))
    assert {len(spoken.text.encode()) for spoken in said} == {messages.CONTENT_BYTES}
    assert len({spoken.text for spoken in said}) == len(said)
    assert [spoken for group in messages.batches(2_000, 512) for spoken in group] == said
    assert [len(group) for group in messages.batches(2_000, 512)] == [512, 512, 512, 464]


def test_texts_do_not_pack_better_than_what_people_write() -> None:
    assert 45 < messages.packed_percent(spoken.text for spoken in messages.spoken(5_000)) < 65


def test_conversations_are_whole_and_many_go_on_at_once() -> None:
    talks: dict[int, list[messages.Spoken]] = defaultdict(list)
    for spoken in messages.spoken(4_000):
        talks[spoken.conversation].append(spoken)
    assert len(talks) > 4_000 / 20
    for talk in talks.values():
        assert [spoken.seq for spoken in talk] == list(range(1, len(talk) + 1))
        for side in (talk[::2], talk[1::2]):
            assert [spoken.n for spoken in side] == list(range(1, len(side) + 1))
            assert len({(spoken.agent, spoken.device) for spoken in side}) <= 1
        assert not any(spoken.agent for spoken in talk[::2])


def test_a_transaction_has_every_message_and_each_head_once() -> None:
    group = list(messages.spoken(300))
    (statements,) = servers._transactions([group], "ON CONFLICT DO NOTHING")
    assert statements.startswith("BEGIN;") and statements.endswith("COMMIT;\n")
    rows, _, heads = statements.partition("INSERT INTO heads")
    assert all(rows.count(spoken.text) == 1 for spoken in group)
    last = {spoken.conversation: spoken for spoken in group}
    assert heads.count("(") - 1 == len(last)
    assert all(spoken.text in heads for spoken in last.values())
    assert not any("'" in spoken.text or "\\" in spoken.text for spoken in group)


def test_without_root_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1_000)
    with pytest.raises(StartError, match="root"), counting.mounted():
        raise AssertionError("mounted without being root")


def test_no_file_system_is_left_behind_when_making_one_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(counting.tempfile, "tempdir", str(tmp_path))

    def refuse(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "", "no loop device")

    monkeypatch.setattr(counting.subprocess, "run", refuse)
    with pytest.raises(StartError, match="no loop device"), counting.mounted():
        raise AssertionError("mounted nothing")
    assert list(tmp_path.iterdir()) == []


def test_kept_is_what_files_take_not_how_long_they_are(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "full").write_bytes(b"x" * 10_000)
    assert 10_000 <= counting.kept(tmp_path.iterdir()) < 1 << 20
