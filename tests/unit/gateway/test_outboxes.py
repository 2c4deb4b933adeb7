"""All slow readers together are bounded, and the ones with most to read go first."""

from typing import Any

from gateway_house import GatewayHouse, until
from test_gateway_limits import fill, server_side, stop_reading

from qingniao.config import GatewayConfig
from qingniao.gateway.outboxes import Outboxes
from qingniao.protocol.codes import Close


class Reader:
    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        self.is_closed = False

    def bye_slow(self) -> None:
        self.is_closed = True
        self.unsent = 0


def outboxes(**config: Any) -> Any:
    return Outboxes(GatewayConfig(**config))


def readings(all_of_them: Any) -> dict[str, Any]:
    return {name: value for _, name, _, value in all_of_them.readings()}


def test_within_the_total_each_may_have_all() -> None:
    some = outboxes(outboxes_bytes=1_000, outbox_bytes=900, outbox_soft_bytes=10)
    readers = [Reader(300), Reader(600)]
    for reader in readers:
        some.note(reader, 0)
    some.look()
    assert some.limit == 900 and not any(reader.is_closed for reader in readers)
    assert readings(some)["outbox_bytes"] == 900
    assert readings(some)["outbox_bytes_most"] == 600
    assert readings(some)["outbox_readers"] == 2


def test_beyond_the_total_who_has_more_than_their_share_is_closed() -> None:
    some = outboxes(outboxes_bytes=1_000, outbox_bytes=900, outbox_soft_bytes=10)
    readers = [Reader(100), Reader(200), Reader(800), Reader(500)]
    for reader in readers:
        some.note(reader, 0)
    some.look()
    assert [reader.is_closed for reader in readers] == [False, False, True, True]
    assert some.limit == 250
    some.look()
    assert some.limit == 900, "there is room again"


def test_growth_between_two_looks_is_noticed() -> None:
    some = outboxes(outboxes_bytes=1_600, outbox_bytes=1_600, outbox_soft_bytes=10)
    reader = Reader(0)
    for _ in range(20):
        reader.unsent += 100
        some.note(reader, 100)
        if reader.is_closed:
            break
    assert reader.is_closed and some.limit == 1_600


def test_who_has_read_everything_is_forgotten() -> None:
    some = outboxes()
    reader = Reader(10)
    some.note(reader, 10)
    reader.unsent = 0
    some.look()
    assert readings(some)["outbox_readers"] == 0


async def test_slow_readers_together_are_bounded(build_house: Any) -> None:
    house: GatewayHouse = await build_house(
        gateway={"outboxes_bytes": 3_000_000, "outbox_bytes": 2_000_000, "outbox_soft_bytes": 1_000}
    )
    slow = [await house.greet("v:7", device=f"slow{number}") for number in range(4)]
    for raw in slow:
        await stop_reading(raw)
    for number in range(3):
        await fill(house, f"slow{number}", 500_000)
    house.hub.outboxes.look()
    assert house.hub.outboxes.slow == 0
    await fill(house, "slow3", 1_900_000)
    await until(lambda: house.hub.outboxes.slow >= 1)
    slow[3].socket.transport.resume_reading()
    assert await slow[3].closed() == Close.SLOW
    assert server_side(house, "slow0").transport is not None
