"""Who comes back: is told what was stored of this device, and made known while they wait."""

from gateway_house import GatewayHouse, until

from qingniao.bus.base import Published, Returned
from qingniao.chat.head import DEVICES_KEPT
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


async def test_every_device_is_told_its_own_number_however_many_there_are(
    house: GatewayHouse,
) -> None:
    for number in range(DEVICES_KEPT + 1):
        raw = await house.greet("v:7", device=f"d{number}")
        for n in range(1, 2 + number % 2):
            await raw.say(Send(7, n, EntryType.TEXT, "在吗"))
            await raw.next(Ack)
        await raw.socket.close()
    told = {}
    for device in ("d0", "d1", "d2", f"d{DEVICES_KEPT - 1}", "new"):  # the first is let go of
        ((_, fields),) = (await house.greet("v:7", device=device)).welcome.conversations
        told[device] = fields["n"]
    assert told == {"d0": 1, "d1": 2, "d2": 1, f"d{DEVICES_KEPT - 1}": 2, "new": 0}
