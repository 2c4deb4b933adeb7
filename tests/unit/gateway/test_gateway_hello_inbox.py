"""The inbox can be followed by `hello` already: one round trip less after a reconnect."""

from gateway_house import GatewayHouse

from qingniao.protocol.frames import Ack, EntryType, Send, State


async def test_cursor_of_conversation_0_follows_the_inbox(house: GatewayHouse) -> None:
    agent = await house.greet("a:3", cursors=[(0, 0)])
    assert await agent.next(State) == State(0, {})
    visitor = await house.greet("v:7")
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    await visitor.next(Ack)
    state = await agent.next(State, lambda state: state.conversation == 7)
    assert state.fields["last"] == 1


async def test_visitors_cursor_of_conversation_0_is_ignored(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7", cursors=[(0, 0)])
    other = await house.greet("v:8")
    await other.say(Send(8, 1, EntryType.TEXT, "在吗"))
    await other.next(Ack)
    await visitor.say(Send(7, 1, EntryType.TEXT, "我也在"))
    await visitor.next(Ack)
    assert not [f for f in visitor.got if isinstance(f, State) and f.conversation != 7]
