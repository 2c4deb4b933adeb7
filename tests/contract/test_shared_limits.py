"""`bus.base.RateLimits` and `SignInLimits`: counted over all processes."""

from bus_processes import Join

from qingniao.clock import wall_ms


async def test_a_burst_and_then_the_rate_whichever_process_is_asked(join: Join) -> None:
    limits = [
        (await join()).rate_limits("visitors", per_s=0.1, burst=4, clock=wall_ms) for _ in range(2)
    ]
    one, other = (limits[0], limits[0]) if _is_memory(limits[0]) else limits
    assert [await limit.take("a") for limit in (one, other, one, other)] == [0, 0, 0, 0]
    assert 9_000 < await other.take("a") <= 10_000
    assert 9_000 < await one.take("a") <= 10_000
    assert await one.take("b") == 0


async def test_limits_of_different_names_are_apart(join: Join) -> None:
    process = await join()
    for name in ("visitors", "uploads"):
        limit = process.rate_limits(name, per_s=0.1, burst=1, clock=wall_ms)
        assert await limit.take("a") == 0
        assert await limit.take("a") > 0


async def test_what_is_given_back_with_time_may_be_had_again(join: Join) -> None:
    limit = (await join()).rate_limits("x", per_s=1_000, burst=2, clock=wall_ms)
    for _ in range(20):
        while await limit.take("a"):
            pass


async def test_wrong_passwords_cost_time_whichever_process_is_asked(join: Join) -> None:
    limits = [(await join()).sign_in_limits(wall_ms) for _ in range(2)]
    one, other = (limits[0], limits[0]) if _is_memory(limits[0]) else limits
    for limit in (one, other, one, other, one):
        assert await limit.attempt("10.0.0.1", "li") == 0
    assert 0 < await other.attempt("10.0.0.1", "li") <= 1_000
    assert 0 < await one.attempt("10.0.0.2", "LI ") <= 1_000  # the login, from elsewhere
    assert 0 < await one.attempt("10.0.0.1", "wang") <= 1_000  # the origin, for another


async def test_the_right_password_forgives_the_login_and_one_try_of_the_origin(join: Join) -> None:
    limit = (await join()).sign_in_limits(wall_ms)
    for _ in range(5):
        assert await limit.attempt("10.0.0.1", "li") == 0
    await limit.succeeded("10.0.0.1", "li")
    assert await limit.attempt("10.0.0.9", "li") == 0
    assert await limit.attempt("10.0.0.1", "wang") == 0
    assert await limit.attempt("10.0.0.1", "wang") > 0


def _is_memory(limit: object) -> bool:
    return type(limit).__name__.startswith("Memory")
