"""Passwords: what is accepted, how they are kept, and that checking costs the same for all."""

import asyncio
import time

import pytest

from qingniao.auth import Passwords, PasswordTooWeak
from qingniao.auth.passwords import check_strength, one_time_password


@pytest.mark.parametrize(
    "password",
    [
        "",
        "ninechars",
        "1234567890",
        "PASSWORD123",
        "0000000000",
        "abcdefghijkl",
        "zyxwvutsrq",
        "x" * 257,
    ],
)
def test_easy_passwords_are_refused(password: str):
    with pytest.raises(PasswordTooWeak):
        check_strength(password)


def test_a_password_made_from_the_login_is_refused():
    with pytest.raises(PasswordTooWeak):
        check_strength("WangFang2024", login="wangfang")
    check_strength("wangfang likes long walks", login="wangfang")


@pytest.mark.parametrize(
    "password", ["correct horse", "龙井茶叶特别好喝真的", "k3fm-x9qa-72hd-wnpe"]
)
def test_long_enough_and_unusual_is_enough(password: str):
    check_strength(password)


def test_one_time_passwords_pass_our_own_rules_and_differ():
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_strength(password)
        assert [len(group) for group in password.split("-")] == [4, 4, 4, 4]
        assert not set(password) & set("il1o0")


async def test_a_hash_verifies_its_password_and_no_other():
    passwords = Passwords(memory_kib=64, passes=1)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert stored != await passwords.hash("correct horse")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify(None, "correct horse")
    assert not await passwords.verify("not a hash", "correct horse")
    assert not await passwords.verify(stored, "x" * 300)


async def test_stronger_parameters_ask_for_a_new_hash():
    weak = Passwords(memory_kib=64, passes=1)
    stored = await weak.hash("correct horse")
    assert not weak.needs_rehash(stored)
    assert Passwords(memory_kib=128, passes=1).needs_rehash(stored)
    assert await Passwords(memory_kib=128, passes=1).verify(stored, "correct horse")


async def test_an_unknown_login_takes_as_long_as_a_known_one():
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    await passwords.verify(None, "warm up")

    async def cpu_s(known: str | None) -> float:
        best = 1.0
        for _ in range(5):
            began = time.process_time()
            await passwords.verify(known, "a guess")
            best = min(best, time.process_time() - began)
        return best

    known, unknown = await cpu_s(stored), await cpu_s(None)
    assert 0.5 < unknown / known < 2


async def test_at_most_two_hashes_run_at_once():
    passwords = Passwords(memory_kib=64, passes=1)
    running = highest = 0
    inner = passwords._hash

    def counted(password: str) -> str:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        time.sleep(0.01)
        try:
            return inner(password)
        finally:
            running -= 1

    passwords._hash = counted  # type: ignore[method-assign]
    await asyncio.gather(*(passwords.hash("correct horse") for _ in range(8)))
    assert highest == 2
