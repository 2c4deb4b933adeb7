"""Signed claims: what can be read back, and everything that must not be."""

import stat
from pathlib import Path

import pytest

from qingniao.auth import BadToken, KeyRing, Signer
from qingniao.errors import StartError

NOW = 1_795_500_000_000
DAY = 86_400_000


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys")


def test_a_visitor_token_reads_back_until_it_expires(ring: KeyRing):
    signer = Signer(ring)
    token, expires = signer.visitor("k3jm", 1041, NOW)
    claim = signer.read_visitor(token, NOW + 179 * DAY)
    assert (claim.visitor, claim.conversation, claim.expires_ms) == ("k3jm", 1041, expires)
    assert expires == NOW + 180 * DAY
    with pytest.raises(BadToken):
        signer.read_visitor(token, expires)


def test_a_ticket_lives_for_a_minute(ring: KeyRing):
    signer = Signer(ring)
    ticket, expires = signer.ticket(7, "session", NOW)
    claim = signer.read_ticket(ticket, NOW + 59_999)
    assert (claim.user, claim.session) == (7, "session")
    assert expires == NOW + 60_000
    with pytest.raises(BadToken):
        signer.read_ticket(ticket, NOW + 60_000)


def test_one_kind_is_not_taken_for_the_other(ring: KeyRing):
    signer = Signer(ring)
    with pytest.raises(BadToken):
        signer.read_visitor(signer.ticket(7, "s", NOW)[0], NOW)
    with pytest.raises(BadToken):
        signer.read_ticket(signer.visitor("v", 7, NOW)[0], NOW)


def test_tokens_are_compact_and_safe_in_addresses(ring: KeyRing):
    token, _ = Signer(ring).visitor("k3jmx0abcdef", 2**53 - 1, NOW)
    assert len(token) <= 60
    assert token.replace("-", "").replace("_", "").isalnum()


def test_no_changed_character_goes_unnoticed(ring: KeyRing):
    signer = Signer(ring)
    token, _ = signer.visitor("k3jm", 1041, NOW)
    for at in range(len(token)):
        for other in "AZaz09-_":
            if token[at] != other:
                with pytest.raises(BadToken):
                    signer.read_visitor(token[:at] + other + token[at + 1 :], NOW)


@pytest.mark.parametrize("token", ["", "A", "=", "é", "A" * 20, "A" * 58, "A" * 5000, "!" * 58])
def test_rubbish_is_a_bad_token_and_nothing_else(ring: KeyRing, token: str):
    with pytest.raises(BadToken):
        Signer(ring).read_visitor(token, NOW)


def test_foreign_characters_make_a_token_bad(ring: KeyRing):
    signer = Signer(ring)
    token, _ = signer.visitor("k3jm", 1041, NOW)
    for spelling in (token + "=", token + "!", " " + token, token[:5] + "\n" + token[5:]):
        with pytest.raises(BadToken):
            signer.read_visitor(spelling, NOW)


def test_another_installation_refuses_the_token(ring: KeyRing, tmp_path: Path):
    token, _ = Signer(ring).visitor("k3jm", 1041, NOW)
    with pytest.raises(BadToken):
        Signer(KeyRing.open(tmp_path / "other")).read_visitor(token, NOW)


def test_a_rotated_key_signs_and_the_old_one_still_verifies(tmp_path: Path):
    path = tmp_path / "keys"
    old, _ = Signer(KeyRing.open(path)).visitor("k3jm", 1041, NOW)
    new_signer = Signer(KeyRing.rotate(path))
    new, _ = new_signer.visitor("k3jm", 1041, NOW)
    assert new != old
    reopened = Signer(KeyRing.open(path))
    for token in (old, new):
        assert reopened.read_visitor(token, NOW).conversation == 1041
    path.write_text(path.read_text().splitlines()[1] + "\n")
    with pytest.raises(BadToken):
        Signer(KeyRing.open(path)).read_visitor(old, NOW)


def test_the_key_file_is_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "deep" / "keys"
    KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["", "1 abcd\n", "x " + "0" * 64, "0 " + "0" * 64, "300 " + "0" * 64]
)
def test_a_damaged_key_file_stops_the_start(tmp_path: Path, text: str):
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(StartError):
        KeyRing.open(path)
