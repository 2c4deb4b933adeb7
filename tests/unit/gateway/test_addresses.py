"""What one address may open and say, and whose word is taken for an address."""

import asyncio
from typing import Any

import pytest
from gateway_house import GatewayHouse, until
from websockets.exceptions import InvalidStatus

from qingniao.config import GatewayConfig
from qingniao.gateway.addresses import Addresses
from qingniao.protocol.frames import Ack, Busy, EntryType, Hello, Send

HERE = frozenset({"127.0.0.1"})


def addresses(proxies: frozenset[str] = HERE, **config: Any) -> Addresses:
    return Addresses(GatewayConfig(**config), proxies, lambda: 1_000)


def forwarded(*values: str) -> bytes:
    lines = [f"X-Forwarded-For: {value}" for value in values]
    return "\r\n".join(["GET /ws HTTP/1.1", "Host: x", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("peer", "head", "network"),
    [
        ("198.51.100.7", forwarded(), "198.51.100.7"),
        ("198.51.100.7", forwarded("203.0.113.9"), "198.51.100.7"),
        ("127.0.0.1", forwarded("203.0.113.9"), "203.0.113.9"),
        ("127.0.0.1", forwarded("192.0.2.1, 203.0.113.9"), "203.0.113.9"),
        ("127.0.0.1", forwarded("192.0.2.1", "203.0.113.9"), "203.0.113.9"),
        ("127.0.0.1", forwarded("203.0.113.9, 127.0.0.7"), ""),
        ("127.0.0.1", forwarded("what is this"), "what is this"),
        ("127.0.0.1", forwarded(), ""),
        ("127.0.0.2", forwarded("203.0.113.9"), ""),
        ("::1", forwarded(), ""),
        ("::ffff:127.0.0.5", forwarded(), ""),
        ("", forwarded(), ""),
        ("2001:db8:1:2:3::4", forwarded(), "2001:0db8:0001:0002::/64"),
    ],
)
def test_a_header_is_believed_from_our_proxy_only(peer: str, head: bytes, network: str) -> None:
    assert addresses().network(peer, head) == network


def test_handshakes_of_one_address_are_counted_and_others_go_on() -> None:
    here = addresses(address_handshakes=1.0)
    assert [here.refusal("203.0.113.9") for _ in range(10)] == [0] * 10
    assert here.refusal("203.0.113.9") == 1_000
    assert here.refusal("203.0.113.8") == 0
    assert all(here.refusal("") == 0 for _ in range(1_000)), "this machine is not limited"
    assert here.refused == 1


def test_places_of_an_address_are_given_back() -> None:
    here = addresses(address_connections=2)
    for _ in range(2):
        assert here.refusal("203.0.113.9") == 0
        assert here.enter("203.0.113.9") is here.enter("203.0.113.9")
        here.leave("203.0.113.9")
    assert here.refusal("203.0.113.9") > 0
    for _ in range(2):
        here.leave("203.0.113.9")
    assert here.refusal("203.0.113.9") == 0
    assert dict((r[1], r[3]) for r in here.readings())["address_connections_most"] == 0
    assert here.enter("") is None


def from_address(address: str) -> dict[str, Any]:
    return {"additional_headers": {"X-Forwarded-For": address}}


async def test_full_address_is_refused_with_429_and_let_in_later(build_house: Any) -> None:
    house: GatewayHouse = await build_house(gateway={"address_connections": 2}, proxies=HERE)
    office = from_address("203.0.113.9")
    first = await house.greet("v:1", **office)
    await house.greet("v:2", **office)
    with pytest.raises(InvalidStatus) as refused:
        await house.raw(**office)
    assert refused.value.response.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) == 30
    await house.greet("v:3", **from_address("203.0.113.10"))
    await first.close()
    await until(lambda: len(house.hub.connections) == 2)
    await house.greet("v:4", **office)


async def test_everybody_at_an_address_shares_what_may_be_sent(build_house: Any) -> None:
    house: GatewayHouse = await build_house(gateway={"address_sends": 2.0}, proxies=HERE)
    office = from_address("203.0.113.9")
    one, other = await house.greet("v:1", **office), await house.greet("v:2", **office)
    for n in range(1, 7):
        await one.say(Send(1, n, EntryType.TEXT, f"{n}"))
    await one.next(Ack, lambda ack: ack.n == 6)
    await other.say(Send(2, 1, EntryType.TEXT, "在吗"))
    busy = await other.next(Busy)
    assert 0 < busy.retry_after_ms <= 501
    elsewhere = await house.greet("v:3", **from_address("203.0.113.10"))
    await elsewhere.say(Send(3, 1, EntryType.TEXT, "在吗"))
    assert await elsewhere.next(Ack)
    await asyncio.sleep(busy.retry_after_ms / 1000)
    await other.say(Send(2, 1, EntryType.TEXT, "在吗"))
    assert await other.next(Ack)


async def test_visitor_has_one_allowance_over_all_tabs(build_house: Any) -> None:
    house: GatewayHouse = await build_house(wire={"rate": 0.4})
    tabs = [await house.greet("v:7", device=f"tab{number}") for number in range(3)]
    for tab in tabs:
        for n in range(1, 5):
            await tab.say(Send(7, n, EntryType.TEXT, f"{n}"))
    for tab in tabs:
        await tab.settled()
    await until(lambda: house.pipeline.committed)
    assert house.pipeline.committed == 1, "three seconds' worth, not three times that"


async def test_too_many_connections_of_one_person_are_sent_away(build_house: Any) -> None:
    house: GatewayHouse = await build_house(gateway={"connections_each": 2})
    for device in ("tab1", "tab2"):
        await house.greet("v:7", device=device)
    third = await house.raw()
    await third.say(Hello("v:7", "tab3"))
    assert await third.closed() == 3002
    assert third.got[-1].retry_after_ms >= 10_000
    again = await house.greet("v:7", device="tab1")
    assert again.welcome, "a device that comes again takes its own place"
    await house.greet("v:8", device="tab3")
