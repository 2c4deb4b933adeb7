"""A visitor who reloads the page while waiting is made known, to hear their place again."""

from gateway_house import GatewayHouse, until

from qingniao.bus.base import Published, Returned
from qingniao.protocol.frames import Ack, EntryType, Send


async def test_a_waiting_visitors_second_connection_is_told_to_the_house(
    house: GatewayHouse,
) -> None:
    heard: list[Published] = []
    house.fanout.subscribe(lambda item: heard.append(item))
    first = await house.greet("v:7", device="old")
    await first.say(Send(7, 1, EntryType.ACTION, {"do": "handoff"}))
    await first.next(Ack)
    assert Returned(7) not in heard
    await house.greet("v:7", device="new")  # before the old one has left
    await until(lambda: Returned(7) in heard)
