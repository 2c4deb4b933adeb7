"""An agent's new name is what visitors see from the next change of hands on."""

from gateway_house import GatewayHouse

from qingniao.bus.base import Attendance
from qingniao.protocol.frames import Ack, Entry, EntryType, Send


async def test_new_name_reaches_open_connections(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    await visitor.next(Ack)
    agent = await house.greet("a:3")
    house.fanout.publish(Attendance(3, True, "周宁"))
    await agent.say(Send(7, 1, EntryType.TEXT, "您好"))
    taken = await visitor.next(Entry, lambda entry: entry.type == EntryType.STATUS)
    assert isinstance(taken.body, dict)
    assert taken.body["agent"] == {"id": 3, "name": "周宁"}
