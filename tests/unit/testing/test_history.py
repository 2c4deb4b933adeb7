"""The checker finds what it is there to find: every kind of damage, by hand and at random."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qingniao.protocol.frames import Entry, EntryType
from qingniao.testing.history import History, Look, Reader, Said, Sender, Sight, violations
from qingniao.testing.outcomes import bot_violations


def entry(seq: int, body: Any, sender: str = "v", kind: int = EntryType.TEXT) -> Entry:
    return Entry(7, seq, 1_000 + seq, sender, kind, body)


LOG = (entry(1, "a1"), entry(2, "b1", "a3"), entry(3, "a2"), entry(4, None, "s", EntryType.NOTE))
A = Sender(name="A", said=(Said("a1", "acked", 1, 1), Said("a2", "acked", 2, 3)))
B = Sender(name="B", said=(Said("b1", "acked", 1, 2), Said("b2", "refused")))
HIDDEN = entry(4, None, "s", EntryType.HIDDEN)
AT_A = Reader(
    name="A",
    sender="A",
    sights=(
        Sight(shown=LOG[1:2], arrived=(2,)),
        Sight(shown=(HIDDEN,), arrived=(4,)),
    ),
    first=1,
)
AT_C = Reader(name="C", sights=(Sight(shown=LOG[:2], arrived=(1, 2)), Sight(shown=LOG[2:])))
GOOD = History(
    conversation=7,
    log=LOG,
    senders=(A, B),
    readers=(AT_A, AT_C),
    looks=(
        Look(name="A", entries=LOG[:2], acked=("a1",)),
        Look(name="A", entries=LOG[1:], acked=("a1", "a2"), is_last=True),
    ),
)


def test_a_good_history_has_no_violations() -> None:
    assert violations(GOOD) == []
    assert violations(History(conversation=7, log=())) == []


def at_a(**changes: Any) -> History:
    return replace(GOOD, readers=(replace(AT_A, **changes), AT_C))


def at_c(*sights: Sight, **changes: Any) -> History:
    return replace(GOOD, readers=(AT_A, replace(AT_C, sights=sights, **changes)))


def a_said(*said: Said) -> History:
    return replace(GOOD, senders=(replace(A, said=said), B))


BAD = {
    "is not in the log": replace(GOOD, log=LOG[:2]),
    "was acked at 2 and is at 3": a_said(A.said[0], Said("a2", "acked", 2, 2)),
    "was refused and is stored at 3": a_said(A.said[0], Said("a2", "refused")),
    "missing 2": replace(GOOD, log=(LOG[0], *LOG[2:])),
    "does not count": replace(GOOD, log=(*LOG, LOG[3])),
    "is stored 2 times, at 3, 5": replace(GOOD, log=(*LOG, entry(5, "a2"))),
    "nobody sent it": replace(GOOD, log=(*LOG, entry(5, "x1"))),
    "the log turns it": a_said(A.said[1], A.said[0]),
    "was acked as 2": a_said(Said("a1", "acked", 2, 1), Said("a2", "acked", 2, 3)),
    "never heard of 'a1'": a_said(Said("a1"), A.said[1]),
    "was shown 2 twice": at_c(Sight(shown=(*LOG[:2], *LOG[1:]))),
    "was shown 1 after 2": at_c(Sight(shown=(LOG[1], LOG[0], LOG[2], LOG[3]))),
    "saw 9, which is not in the log": at_c(Sight(shown=(*LOG, entry(9, "a9")))),
    "saw something else at 3": at_c(Sight(shown=(*LOG[:2], entry(3, "a7"), LOG[3]))),
    "else at 2": at_c(Sight(shown=(LOG[0], entry(2, "b1", "v"), *LOG[2:]))),
    "else at 1": at_c(Sight(shown=(replace(LOG[0], time=5), *LOG[1:]))),
    "else at 4": at_c(Sight(shown=(*LOG[:3], entry(4, "n", "a3", EntryType.NOTE)))),
    "something else at 3 than": at_c(
        Sight(shown=(*LOG[:2], entry(3, None, "s", EntryType.HIDDEN), LOG[3]))
    ),
    "connection 1 brought 1 again": at_c(Sight(shown=LOG, arrived=(1, 2, 1, 3, 4))),
    "C never saw 3": at_c(Sight(shown=(*LOG[:2], LOG[3]))),
    "C never saw 4": at_c(Sight(shown=LOG[:3])),
    "C never saw 1": at_c(Sight(shown=LOG[1:]), first=1),
    "A never saw 2": at_a(sights=(Sight(shown=(HIDDEN,)),)),
    "A never saw 1, 3": at_a(sender=""),
    "did not find it": replace(GOOD, looks=(Look(name="A", entries=LOG[:2], acked=("a2",)),)),
    "does not count up from 1": replace(
        GOOD, looks=(Look(name="A", entries=(LOG[0], LOG[2]), acked=()),)
    ),
    "read 5, which": replace(GOOD, looks=(Look(name="A", entries=(entry(5, "x"),)),)),
    "and later only up to 2": replace(
        GOOD, looks=(Look(name="A", entries=LOG), Look(name="A", entries=LOG[:2]))
    ),
    "and the log ends at 4": replace(GOOD, looks=(Look(name="A", entries=LOG[:3], is_last=True),)),
}


@pytest.mark.parametrize("sentence", BAD)
def test_each_kind_of_violation_is_reported(sentence: str) -> None:
    found = violations(BAD[sentence])
    assert any(sentence in violation for violation in found), found
    assert all(violation.startswith("Conversation 7: ") for violation in found)


def test_what_was_asked_for_again_may_come_again() -> None:
    shown_once = Sight(shown=LOG, arrived=(1, 3, 4, 2, 3, 4), was_mended=True)
    assert violations(at_c(shown_once)) == []


def test_who_left_early_has_seen_what_was_there() -> None:
    assert violations(at_c(Sight(shown=LOG[:2]), is_whole=False)) == []
    assert violations(at_c(Sight(shown=(LOG[0], LOG[2])), is_whole=False)) != []


def test_an_ack_by_a_later_one_names_no_place() -> None:
    assert violations(a_said(Said("a1", "acked", 1, 0), A.said[1])) == []


def test_what_nobody_was_told_of_may_be_stored_or_not() -> None:
    untold = a_said(A.said[0], Said("a2"), Said("a3"))
    assert violations(replace(untold, readers=(AT_C,))) == []
    # Without an ack, it has to come to its own sender as an entry.
    assert violations(untold) == ["Conversation 7: A never saw 3."]


# At random: a correct history, damaged in one way.


@st.composite
def histories(draw: st.DrawFn) -> History:
    """What a correct server may do: senders interleave, readers come and go, acks get lost."""
    turns = draw(st.lists(st.sampled_from("AB"), min_size=4, max_size=20))
    log = tuple(entry(seq, f"{who}{seq}", who) for seq, who in enumerate(turns, 1))
    senders = []
    for name in "AB":
        own = [e for e in log if e.sender == name]
        said = [Said(str(e.body), "acked", n, e.seq) for n, e in enumerate(own, 1)]
        said.append(Said(f"{name}-refused", "refused"))
        said.append(Said(f"{name}-open"))
        senders.append(Sender(name=name, said=said))
    readers = []
    for name in "ABC":
        first = draw(st.integers(1, len(log)))
        shown = [e for e in log if e.seq >= first and e.sender != name]
        breaks = sorted(draw(st.lists(st.integers(0, len(shown)), max_size=3)))
        bounds = [0, *breaks, len(shown)]
        sights = [
            Sight(shown=shown[a:b], arrived=[e.seq for e in shown[a:b]])
            for a, b in pairwise(bounds)
        ]
        readers.append(Reader(name=name, sights=sights, sender=name, first=first))
    ends = sorted(draw(st.lists(st.integers(1, len(log)), max_size=3)))
    looks = [
        Look(
            name="A",
            entries=log[draw(st.integers(0, end - 1)) : end],
            acked=[str(e.body) for e in log[:end] if e.sender == "A"],
        )
        for end in ends
    ]
    looks.append(Look(name="C", entries=log, is_last=True))
    return History(conversation=7, log=log, senders=senders, readers=readers, looks=looks)


Pick = Callable[[int], int]
"""A number below another."""


def _lose(history: History, pick: Pick) -> History:
    gone = pick(len(history.log))
    return replace(history, log=[e for e in history.log if e.seq != gone + 1])


def _lose_the_end(history: History, pick: Pick) -> History:
    return replace(history, log=history.log[: pick(len(history.log))])


def _store_twice(history: History, pick: Pick) -> History:
    again = history.log[pick(len(history.log))]
    return replace(history, log=[*history.log, replace(again, seq=len(history.log) + 1)])


def _change_places(history: History, pick: Pick) -> History:
    log = list(history.log)
    here = pick(len(log) - 1)
    log[here], log[here + 1] = (
        replace(log[here + 1], seq=here + 1),
        replace(log[here], seq=here + 2),
    )
    return replace(history, log=log)


def _store_what_was_refused(history: History, pick: Pick) -> History:
    added = entry(len(history.log) + 1, f"{'AB'[pick(2)]}-refused")
    return replace(history, log=[*history.log, added])


def _change_a_word(history: History, pick: Pick) -> History:
    log = list(history.log)
    here = pick(len(log))
    log[here] = replace(log[here], body="something else")
    return replace(history, log=log)


def _of_a_reader(change: Callable[[list[Entry], Pick], None]) -> Callable[[History, Pick], History]:
    def damage(history: History, pick: Pick) -> History:
        readers = list(history.readers)
        seeing = [n for n, reader in enumerate(readers) if any(s.shown for s in reader.sights)]
        at = seeing[pick(len(seeing))]
        shown = [e for sight in readers[at].sights for e in sight.shown]
        change(shown, pick)
        readers[at] = replace(readers[at], sights=[Sight(shown=shown)])
        return replace(history, readers=readers)

    return damage


def _unseen(shown: list[Entry], pick: Pick) -> None:
    del shown[pick(len(shown))]


def _seen_twice(shown: list[Entry], pick: Pick) -> None:
    again = shown[pick(len(shown))]
    shown.insert(pick(len(shown) + 1), again)


def _seen_differently(shown: list[Entry], pick: Pick) -> None:
    here = pick(len(shown))
    shown[here] = replace(shown[here], body="something else")


def _seen_though_not_stored(shown: list[Entry], pick: Pick) -> None:
    shown.append(replace(shown[-1], seq=shown[-1].seq + 100))


def _misplace_an_ack(history: History, pick: Pick) -> History:
    senders = list(history.senders)
    talking = [n for n, sender in enumerate(senders) if sender.said[0].fate == "acked"]
    at = talking[pick(len(talking))]
    said = list(senders[at].said)
    here = pick(len(said) - 2)
    said[here] = replace(said[here], seq=said[here].seq + 1 + pick(3))
    senders[at] = replace(senders[at], said=said)
    return replace(history, senders=senders)


def _ack_what_is_not_stored(history: History, pick: Pick) -> History:
    senders = list(history.senders)
    at = pick(2)
    said = list(senders[at].said)
    said[-1] = Said(said[-1].text, "acked", len(said), 0)
    senders[at] = replace(senders[at], said=said)
    return replace(history, senders=senders)


def _read_too_little(history: History, pick: Pick) -> History:
    last = history.looks[-1]
    kept = last.entries[: pick(len(last.entries))]
    return replace(history, looks=[*history.looks[:-1], replace(last, entries=kept)])


def _read_with_a_hole(history: History, pick: Pick) -> History:
    last = history.looks[-1]
    kept = list(last.entries)
    del kept[1 + pick(len(kept) - 2)]
    return replace(history, looks=[*history.looks[:-1], replace(last, entries=kept)])


DAMAGES = [
    _lose, _lose_the_end, _store_twice, _change_places, _store_what_was_refused, _change_a_word,
    _misplace_an_ack, _ack_what_is_not_stored, _read_too_little, _read_with_a_hole,
]  # fmt: skip
SEEN = [_unseen, _seen_twice, _seen_differently, _seen_though_not_stored]


@given(histories())
def test_a_correct_server_is_never_accused(history: History) -> None:
    assert violations(history) == []


@pytest.mark.parametrize("damage", [*DAMAGES, *map(_of_a_reader, SEEN)])
@given(history=histories(), data=st.data())
def test_no_damage_stays_unseen(
    damage: Callable[[History, Pick], History], history: History, data: st.DataObject
) -> None:
    def pick(below: int) -> int:
        return data.draw(st.integers(0, below - 1))

    assert violations(damage(history, pick)) != []


# The bot.


def step(seq: int, answers: int, **more: Any) -> Entry:
    return entry(seq, {"answers": answers, **more}, "b", EntryType.STEP)


def answer(seq: int) -> Entry:
    return entry(seq, {"text": "好"}, "b", EntryType.ANSWER)


def test_a_bot_that_answers_once_is_fine() -> None:
    log = [entry(1, "a"), step(2, 1), answer(3), answer(4), entry(5, "b"), step(6, 5), answer(7)]
    assert list(bot_violations(log)) == [] == list(bot_violations([]))
    dropped = [entry(1, "a"), step(2, 1), answer(3), step(4, 1, dropped="answered")]
    assert list(bot_violations(dropped)) == []


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ([entry(1, "a"), step(2, 1), answer(3), step(4, 1), answer(5)], "dealt with 1 after 1"),
        ([entry(1, "a"), entry(2, "b", "a3"), step(3, 2), answer(4)], "answered 2, which no"),
        ([entry(1, "a"), step(2, 9)], "answered 9, which no"),
        ([entry(1, "a"), answer(2)], "answer 2 has lost its step"),
    ],
)
def test_what_a_bot_may_not_do_is_reported(log: list[Entry], sentence: str) -> None:
    assert any(sentence in violation for violation in bot_violations(log))
