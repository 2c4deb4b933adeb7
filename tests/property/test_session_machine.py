"""Any order of frames and times: a session never raises and never carries out what it must not."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from qingniao.protocol.bodies import FROM_AGENT, FROM_VISITOR
from qingniao.protocol.codec import JSON, MSGPACK
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import (
    Busy,
    Bye,
    Error,
    Follow,
    Hello,
    History,
    Limits,
    Ping,
    Pong,
    Read,
    Send,
    Typing,
    Unfollow,
    UpFrame,
)
from qingniao.protocol.session import Phase, Session, Verdict

numbers = st.integers(-3, 12) | st.sampled_from([2**31, 2**32, 2**53, -(2**63), 2**64 - 1])
conversations = st.sampled_from([0, 7, 7, 7, 8, -1, 2**53, 2**63])
bodies = st.one_of(
    st.text(max_size=30),
    st.none(),
    st.dictionaries(
        st.sampled_from(["do", "score", "comment", "id", "name", "size", "mime", "x"]),
        st.text(max_size=24) | st.integers() | st.floats() | st.none() | st.booleans(),
        max_size=4,
    ),
)
others = st.one_of(
    st.builds(Follow, conversations, numbers),
    st.builds(Unfollow, conversations),
    st.builds(Read, conversations, numbers),
    st.builds(Typing, conversations, st.booleans(), st.text(max_size=5)),
    st.builds(History, conversations, numbers, numbers),
    st.builds(Ping, numbers),
    st.builds(Pong, numbers),
)
sends = st.builds(Send, conversations, numbers, st.integers(-1, 11), bodies)
hellos = st.builds(
    Hello, st.text(max_size=5), st.sampled_from(["d1", "", "坏", "x" * 40]),
    st.lists(st.tuples(numbers, numbers), max_size=4),
)  # fmt: skip


class Connection(RuleBasedStateMachine):
    """One session; `held` models which number each conversation waits for, and why."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_795_500_000_000
        self.session = Session(Limits(rate=4.0, body_chars=20, follows=3), self.now)
        self.held: dict[int, int] = {}

    def _say(self, frame: UpFrame) -> Verdict:
        verdict = self.session.check(frame, self.now)
        assert verdict is None or isinstance(verdict, Error | Busy | Bye)
        if verdict is not None:
            for codec in (JSON, MSGPACK):
                assert codec.down(codec.encode(verdict)) == verdict
        if isinstance(verdict, Bye):
            self.session.close()
        return verdict

    @rule(ms=st.integers(-5_000, 5_000))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(hello=hellos)
    def greets(self, hello: Hello) -> None:
        was = self.session.phase
        if self._say(hello) is None:
            assert was is Phase.NEW
            assert self.session.phase is Phase.GREETED

    @precondition(lambda self: self.session.phase is Phase.GREETED)
    @rule(is_agent=st.booleans())
    def is_let_in(self, is_agent: bool) -> None:
        if is_agent:
            self.session.become_agent(3, "周宁")
        else:
            self.session.become_visitor("visitor-7", 7)

    @rule(frame=others)
    def says_something_else(self, frame: UpFrame) -> None:
        verdict = self._say(frame)
        if verdict is None:
            assert self.session.phase is Phase.READY
            if not isinstance(frame, Ping | Pong):
                assert self.session.may_see(frame.conversation)

    @precondition(lambda self: self.session.phase is Phase.READY)
    @rule(send=sends)
    def sends(self, send: Send) -> None:
        verdict = self._say(send)
        held = self.held.get(send.conversation)
        if verdict is None:
            assert send.type in (FROM_AGENT if self.session.is_agent else FROM_VISITOR)
            assert self.session.may_see(send.conversation)
            assert send.conversation != 0
            assert held is None or send.n <= held
            self.held.pop(send.conversation, None)
        elif isinstance(verdict, Busy):
            assert (verdict.conversation, verdict.n) == (send.conversation, send.n)
            assert verdict.retry_after_ms > 0
            self.held[send.conversation] = min(send.n, held if held is not None else send.n)
        elif isinstance(verdict, Error) and verdict.code in (Code.BAD_BODY, Code.NOT_ALLOWED):
            self.held[send.conversation] = send.n
        elif isinstance(verdict, Error) and verdict.code == Code.HOLE:
            assert held is not None
            assert verdict.expected == held < send.n

    @precondition(lambda self: self.session.phase is Phase.READY)
    @rule(n=st.integers(1, 12), refused=st.booleans())
    def intake_says_no(self, n: int, refused: bool) -> None:
        (self.session.refuse if refused else self.session.stall)(7, n)
        held = self.held.get(7)
        self.held[7] = n if held is None else min(n, held)

    @rule()
    def closes(self) -> None:
        self.session.close()


TestConnection = Connection.TestCase
TestConnection.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
