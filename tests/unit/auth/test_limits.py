"""How often somebody may try. Time is the test's."""

import pytest

from qingniao.auth import RateLimit, SessionPolicy, SignInLimit
from qingniao.auth.limits import network_of


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_rate():
    clock = Clock()
    limit = RateLimit(per_s=2, burst=3, clock=clock)
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 500]
    assert limit.take("b") == 0
    clock.now += 500
    assert [limit.take("a") for _ in range(2)] == [0, 500]
    clock.now += 3_600_000
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 500]


def test_a_clock_that_steps_back_gives_nothing_for_free():
    clock = Clock()
    limit = RateLimit(per_s=1, burst=1, clock=clock)
    assert limit.take("a") == 0
    clock.now -= 500_000
    assert limit.take("a") > 0


def test_a_bucket_table_is_bounded_and_forgets_the_longest_silent():
    clock = Clock()
    limit = RateLimit(per_s=0.001, burst=1, clock=clock, capacity=3)
    for key in "abcd":
        assert limit.take(key) == 0
    assert limit.take("d") > 0
    assert limit.take("a") == 0


@pytest.mark.parametrize("wrong", [{"per_s": 0}, {"burst": 0}, {"capacity": 0}])
def test_wrong_limits_are_refused_at_once(wrong: dict[str, int]):
    with pytest.raises(ValueError, match="positive"):
        RateLimit(**{"per_s": 1.0, "burst": 1, "clock": Clock(), **wrong})  # type: ignore[arg-type]


def failures(limit: SignInLimit, clock: Clock, address: str, login: str, count: int) -> list[int]:
    """The wait after each of `count` wrong passwords, each made as early as allowed."""
    waits = []
    for _ in range(count):
        while wait := limit.attempt(address, login):
            waits.append(wait)
            clock.now += wait
    return waits


def test_the_delay_of_a_login_doubles_up_to_a_minute():
    clock = Clock()
    limit = SignInLimit(clock=clock)
    addresses = iter(range(100))
    waits = []
    for _ in range(14):
        address = f"10.0.0.{next(addresses)}"
        while wait := limit.attempt(address, "Admin "):
            waits.append(wait)
            clock.now += wait
    assert waits == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]


def test_the_delay_of_an_address_doubles_up_to_a_quarter_of_an_hour():
    clock = Clock()
    limit = SignInLimit(clock=clock)
    waits = []
    for number in range(18):
        waits += failures(limit, clock, "10.0.0.1", f"user{number}", 1)
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert waits[-1] == 900_000


def test_success_forgives_the_login_but_gives_the_address_one_try_back():
    clock = Clock()
    limit = SignInLimit(clock=clock)
    for number in range(4):
        assert limit.attempt("10.0.0.1", f"user{number}") == 0
    assert limit.attempt("10.0.0.1", "mine") == 0
    limit.succeeded("10.0.0.1", "mine")
    assert limit.attempt("10.0.0.1", "user") == 0
    assert limit.attempt("10.0.0.1", "user") == 1000


def test_an_hour_of_silence_is_forgiven():
    clock = Clock()
    limit = SignInLimit(clock=clock)
    for _ in range(5):
        assert limit.attempt("10.0.0.1", "admin") == 0
    assert limit.attempt("10.0.0.1", "admin") > 0
    clock.now += 3_600_000
    assert [limit.attempt("10.0.0.1", "admin") for _ in range(5)] == [0] * 5


def test_the_table_of_tries_is_bounded():
    limit = SignInLimit(clock=Clock(), capacity=50)
    for number in range(1000):
        limit.attempt(f"10.0.{number // 256}.{number % 256}", f"user{number}")
    assert len(limit._tries) == 50


def test_one_customer_is_one_origin():
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("2001:db8:1:3::5") != network_of("2001:db8:1:2::5")
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of("unix") == "unix"


def test_a_session_ends_when_idle_or_old():
    policy = SessionPolicy(idle_ms=10, absolute_ms=100)
    assert not policy.is_over(created=0, last_seen=50, now_ms=59)
    assert policy.is_over(created=0, last_seen=50, now_ms=60)
    assert policy.is_over(created=0, last_seen=99, now_ms=100)
