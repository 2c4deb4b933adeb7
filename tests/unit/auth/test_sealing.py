"""Secrets at rest."""

import pytest

from qingniao.auth import KeyRing
from qingniao.auth.sealing import SealBroken, Sealer

KEYS = {1: b"a" * 32}


def test_what_was_sealed_opens_again_and_looks_different_each_time() -> None:
    sealer = Sealer(KeyRing(KEYS))
    one, two = sealer.seal("密钥 app-1", "bot/1"), sealer.seal("密钥 app-1", "bot/1")
    assert one != two
    assert "app-1" not in one
    assert sealer.open(one, "bot/1") == sealer.open(two, "bot/1") == "密钥 app-1"


def test_old_keys_open_after_a_rotation_and_not_after_they_are_gone() -> None:
    sealed = Sealer(KeyRing(KEYS)).seal("s", "p")
    rotated = {**KEYS, 2: b"b" * 32}
    assert Sealer(KeyRing(rotated)).open(sealed, "p") == "s"
    assert Sealer(KeyRing(rotated)).seal("s", "p").startswith("1.2.")
    with pytest.raises(SealBroken):
        Sealer(KeyRing({2: b"b" * 32})).open(sealed, "p")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:-4] + "AAA=", lambda s: s.replace("1.", "2.", 1), lambda s: "",
        lambda s: "1.1.",
lambda s: s + ".x", lambda s: s.rpartition(".")[0] + ".!!", lambda s: "1.x." + s,
    ],
)  # fmt: skip
def test_spoilt_is_broken(spoil) -> None:  # type: ignore[no-untyped-def]
    sealer = Sealer(KeyRing(KEYS))
    with pytest.raises(SealBroken):
        sealer.open(spoil(sealer.seal("secret", "p")), "p")


def test_sealed_for_one_place_opens_nowhere_else() -> None:
    sealer = Sealer(KeyRing(KEYS))
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal("s", "bot/1/https://a/key"), "bot/1/https://b/key")
