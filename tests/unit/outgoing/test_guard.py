"""Which addresses may be asked, and that nothing gets around the answer."""

import socket
from ipaddress import ip_address

import pytest
from scripted_server import ScriptedServer, says_json

from qingniao.errors import ConfigError
from qingniao.outgoing.client import Ask, Outgoing
from qingniao.outgoing.errors import AddressRefused
from qingniao.outgoing.guard import Guard, is_inside

INSIDE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.7", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1",
    "::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_refused_in_every_spelling(address: str) -> None:
    assert is_inside(ip_address(address))
    assert not Guard().admits("some.name", address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_admitted(address: str) -> None:
    assert not is_inside(ip_address(address))
    assert Guard().admits("some.name", address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/v1", "https://10.0.0.1", "http://[::1]:8000/", "http://[::ffff:7f00:1]/",
        "http://169.254.169.254/latest/meta-data/", "ftp://example.com/", "file:///etc/passwd",
        "//example.com", "example.com", "http://", "http://user:key@example.com/", "http://[::1",
        "http://example.com:port/", "",
    ],
)  # fmt: skip
def test_address_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(AddressRefused):
        Guard().check(url)


def test_what_is_allowed_is_admitted_and_nothing_beside_it() -> None:
    guard = Guard.of("10.1.0.0/16, 192.168.7.7, dify.internal")
    assert guard.admits("a", "10.1.2.3")
    assert guard.admits("a", "::ffff:10.1.2.3")
    assert not guard.admits("a", "10.2.0.1")
    assert guard.admits("a", "192.168.7.7")
    assert guard.admits("DIFY.internal.", "172.20.0.9")
    assert not guard.admits("other.internal", "172.20.0.9")
    assert not guard.admits("a", "not an address")
    assert Guard.of("*").admits("a", "127.0.0.1")


@pytest.mark.parametrize("wrong", ["http://dify.internal", "10.0.0.0/40", "a b", "host:80"])
def test_wrong_allowance_is_refused_at_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"outgoing\.allow"):
        Guard.of(wrong)


def _resolves(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """Let every name lead to the given addresses, one list after the other."""
    asked: list[str] = []

    def lookup(host, port, *more, **named):  # type: ignore[no-untyped-def]
        found = rounds[min(len(asked), len(rounds) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


async def test_name_that_leads_inside_is_refused(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolves(monkeypatch, ["127.0.0.1"])
    client = Outgoing(Guard())
    with pytest.raises(AddressRefused, match="inside this network"):
        async with client.ask(Ask(method="GET", url=f"http://bot.example:{scripted.port}/")):
            pass
    await client.close()
    assert scripted.asked == []


async def test_rebinding_reaches_no_address_that_was_not_judged(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is outside when it is judged and inside when it is connected to."""
    _resolves(monkeypatch, ["203.0.114.9"], ["127.0.0.1"])
    client = Outgoing(Guard())
    ask = Ask(method="GET", url=f"http://bot.example:{scripted.port}/", connect_s=0.3)
    for _ in range(3):
        with pytest.raises(Exception):  # noqa: B017
            async with client.ask(ask):
                pass
    await client.close()
    assert scripted.asked == []


async def test_of_several_addresses_only_admitted_ones_are_tried(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.will(says_json({"ok": True}))
    asked = _resolves(monkeypatch, ["10.9.9.9", "127.0.0.1"])
    client = Outgoing(Guard(["127.0.0.1"]))
    async with client.ask(
        Ask(method="GET", url=f"http://bot.example:{scripted.port}/", connect_s=5)
    ) as received:
        assert await received.read() == b'{"ok": true}'
    await client.close()
    assert asked == ["bot.example"]
    assert scripted.asked[0].headers["host"] == f"bot.example:{scripted.port}"
