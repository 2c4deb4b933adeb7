"""What counts as lost, repeated and given twice."""

from typing import Any

from qingniao.protocol.frames import Entry, EntryType
from qingniao.testing.drills.verdict import Verdict, given_twice, judged, lost, repeated
from qingniao.testing.history import History, Reader, Said, Sender, Sight


def text(seq: int, words: str) -> Entry:
    return Entry(7, seq, 1_000, "v", EntryType.TEXT, words)


def move(seq: int, before: str, after: str, by: str = "s") -> Entry:
    body: dict[str, Any] = {"from": before, "to": after, "why": "", "by": by, "session": 1}
    return Entry(7, seq, 1_000, "s", EntryType.STATUS, body)


def step(seq: int, answers: int, **more: Any) -> Entry:
    return Entry(7, seq, 1_000, "b", EntryType.STEP, {"answers": answers, **more})


def said(*texts: str) -> list[Sender]:
    return [Sender(name="v", said=[Said(t, "acked", n, n) for n, t in enumerate(texts, 1)])]


def test_an_acked_text_that_is_not_there_is_lost() -> None:
    history = History(conversation=7, log=[text(1, "a")], senders=said("a", "b", "c"))
    assert lost(history) == 2
    assert lost(History(conversation=7, log=[text(1, "a")], senders=said("a"))) == 0


def test_what_is_not_acked_may_be_missing() -> None:
    unsure = [Sender(name="v", said=[Said("a"), Said("b", "refused", 2)])]
    assert lost(History(conversation=7, log=[], senders=unsure)) == 0


def test_stored_again_shown_again_and_answered_again_are_repeats() -> None:
    twice = History(conversation=7, log=[text(1, "a"), text(2, "a")], senders=said("a"))
    assert repeated(twice) == 1
    screen = Reader(name="r", sights=[Sight(shown=[text(1, "a")]), Sight(shown=[text(1, "a")])])
    assert repeated(History(conversation=7, log=[text(1, "a")], readers=[screen])) == 1
    log = [text(1, "a"), step(2, 1), step(3, 1)]
    assert repeated(History(conversation=7, log=log, senders=said("a"))) == 1
    late = [text(1, "a"), step(2, 1), step(3, 1, dropped="owned")]
    assert repeated(History(conversation=7, log=late, senders=said("a"))) == 0


def test_a_conversation_is_given_once_for_each_time_that_it_waited() -> None:
    once = [move(1, "bot", "waiting", "v"), move(2, "waiting", "open"), move(3, "open", "closed")]
    assert [*given_twice(once)] == []
    again = [*once[:2], move(3, "open", "waiting"), move(4, "waiting", "open")]
    assert [*given_twice(again)] == []
    twice = [*once[:2], move(3, "waiting", "open")]
    assert len([*given_twice(twice)]) == 2, "from where it was not, and to a second one"


def test_a_verdict_keeps_the_sentences() -> None:
    history = History(conversation=7, log=[text(1, "a")], senders=said("a", "b"))
    verdict = judged(Verdict(name="drill", violations=[]), [history])
    assert verdict.lost == 1
    assert any("'b'" in sentence for sentence in verdict.violations)
