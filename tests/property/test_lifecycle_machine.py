"""Any order of intents: one owner, rows of the table only, and heads that are folds."""

from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from qingniao.chat.head import DEVICES_KEPT, Head, fold
from qingniao.chat.intake import Intent, Message, Move, Outcome, Rename, Wanted, decide
from qingniao.chat.lifecycle import NEXT, Event, Status, Why
from qingniao.chat.view import AGENTS_ONLY, for_visitor
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Entry, EntryType

AGENTS = st.sampled_from([3, 4])
DEVICES = st.sampled_from(["d1", "d2"])
OFFSETS = st.sampled_from([1, 1, 1, 1, 0, -1, 2])  # mostly the next number


class Conversation(RuleBasedStateMachine):
    """One conversation, its entries with their origin, and what was acked to whom."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(7, "visitor-7")
        self.log: list[tuple[Entry, str, int]] = []
        self.snapshot = deepcopy(self.head)
        self.numbers: dict[str, int] = {}
        self.now = 0
        self.outcomes: list[Outcome] = []

    @initialize()
    def begins(self) -> None:
        self._offer(Message(7, "v", "d1", 1, EntryType.TEXT, "在吗", visitor="visitor-7"))

    def _offer(self, intent: Intent) -> None:
        self.now += 1
        before = deepcopy(self.head)
        decision = decide(self.head, intent, self.now)
        assert self.head == before
        assert [bool(decision.entries), decision.repeat, decision.code > 0].count(True) <= 1
        for position, entry in enumerate(decision.entries, before.last + 1):
            assert entry.seq == position
            if entry.type == EntryType.STATUS:
                self._is_a_row(entry)
            fold(self.head, entry, decision.device, decision.n)
            self.log.append((entry, decision.device, decision.n))
        if isinstance(intent, Message):
            device, last = decision.device, self.numbers.get(f"{intent.sender}/{intent.device}", 0)
            if decision.entries:
                assert intent.n == last + 1
                self.numbers[device] = intent.n
            elif decision.repeat:
                assert intent.n <= last == decision.n
            elif decision.code == Code.HOLE:
                assert intent.n > last + 1 == decision.expected

    def _is_a_row(self, entry: Entry) -> None:
        body = entry.body
        assert isinstance(body, dict)
        before, after = Status(body["from"]), Status(body["to"])
        assert before is self.head.status
        assert any(row[0] is before and to is after for row, to in NEXT.items())
        assert ("agent" in body) == (after is Status.OPEN)

    @rule(device=DEVICES, offset=OFFSETS, kind=st.sampled_from([EntryType.TEXT, EntryType.RATING]))
    def visitor_sends(self, device: str, offset: int, kind: EntryType) -> None:
        body = "退货" if kind == EntryType.TEXT else {"score": 4}
        n = self.numbers.get(f"v/{device}", 0) + offset
        self._offer(Message(7, "v", device, n, kind, body, visitor="visitor-7"))

    @rule(agent=AGENTS, offset=OFFSETS, kind=st.sampled_from([EntryType.TEXT, EntryType.NOTE]))
    def agent_sends(self, agent: int, offset: int, kind: EntryType) -> None:
        n = self.numbers.get(f"a{agent}/d", 0) + offset
        self._offer(Message(7, f"a{agent}", "d", n, kind, "您好", agent=agent, name=f"客服{agent}"))

    @rule(
        agent=st.sampled_from([0, 3, 4]), do=st.sampled_from(["handoff", "take", "return", "close"])
    )
    def somebody_acts(self, agent: int, do: str) -> None:
        sender, device = (f"a{agent}", "d") if agent else ("v", "d1")
        n = self.numbers.get(f"{sender}/{device}", 0) + 1
        name = f"客服{agent}" if agent else ""
        self._offer(
            Message(7, sender, device, n, EntryType.ACTION, {"do": do}, agent=agent, name=name)
        )

    @rule(
        event=st.sampled_from([Event.ASSIGN, Event.REQUEUE, Event.CLOSE]),
        session=st.sampled_from([0, 0, 1]),
    )
    def worker_moves(self, event: Event, session: int) -> None:
        agent, name = (4, "客服4") if event is Event.ASSIGN else (0, "")
        self._offer(Move(7, event, Why.LEAST_BUSY, agent, name, session))

    @rule(hands_over=st.booleans(), team=st.sampled_from([None, Wanted(2, "售后组")]))
    def flow_starts(self, hands_over: bool, team: Wanted | None) -> None:
        self.outcomes.append(
            Outcome(
                7, self.head.session, self.head.asked, ((EntryType.ANSWER, {"text": "在"}),),
                event=Event.HANDOFF if hands_over else None, why=Why.UNSURE, team=team,
                state={"asked": self.head.asked},
            )
        )  # fmt: skip

    @rule(pick=st.integers(0, 20), keep=st.booleans())
    def flow_ends(self, pick: int, keep: bool) -> None:
        if not self.outcomes:
            return
        outcome = self.outcomes[pick % len(self.outcomes)]
        if not keep:
            self.outcomes.remove(outcome)
        said = [entry for entry, _, _ in self.log if entry.type == EntryType.ANSWER]
        head = deepcopy(self.head)
        self._offer(outcome)
        now_said = [entry for entry, _, _ in self.log if entry.type == EntryType.ANSWER]
        if len(now_said) > len(said):
            assert (head.status, head.session) == (Status.BOT, outcome.session)
            assert head.answered < outcome.answers
        else:
            assert self.head.status is head.status

    @rule(name=st.sampled_from(["张三", ""]))
    def visitor_is_renamed(self, name: str) -> None:
        self._offer(Rename(7, name))

    @rule()
    def snapshot_is_taken(self) -> None:
        self.snapshot = deepcopy(self.head)

    @invariant()
    def one_owner(self) -> None:
        assert (self.head.status is Status.OPEN) == (self.head.assignee != 0)
        assert bool(self.head.assignee) == bool(self.head.assignee_name)

    @invariant()
    def head_is_the_fold_of_everything(self) -> None:
        head = Head(7, "visitor-7")
        for entry, device, n in self.log:
            fold(head, entry, device, n)
        assert head == self.head

    @invariant()
    def snapshot_with_the_rest_is_the_head(self) -> None:
        head = deepcopy(self.snapshot)
        for entry, device, n in self.log[head.last :]:
            fold(head, entry, device, n)
        assert head == self.head

    @invariant()
    def seqs_have_no_gap_and_sessions_never_go_back(self) -> None:
        assert [entry.seq for entry, _, _ in self.log] == list(range(1, self.head.last + 1))
        sessions = [
            entry.body["session"]
            for entry, _, _ in self.log
            if entry.type == EntryType.STATUS and isinstance(entry.body, dict)
        ]
        assert sessions == sorted(sessions)

    @invariant()
    def visitor_sees_nothing_of_the_agents(self) -> None:
        for entry, _, _ in self.log[-4:]:
            seen = for_visitor(entry)
            assert seen.type not in AGENTS_ONLY
            assert not isinstance(seen.body, dict) or "why" not in seen.body

    @invariant()
    def devices_are_bounded(self) -> None:
        assert len(self.head.devices) <= DEVICES_KEPT


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
