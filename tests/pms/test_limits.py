"""E02: one limit for all workers, fair among connections, something kept for people, shut after a 429."""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from redis import Redis, RedisError

from app.config import VendorSettings
from app.pms.errors import PmsRateLimited
from app.pms.limits import FallbackLimiter, Limiter, Limits, LocalLimiter
from app.pms.redis_limiter import RedisLimiter
from tests.pms.conftest import Waits
from tests.pms.scripted import Scripted, answer

#: A "minute" of a third of a second, so that nobody waits for real ones.
QUICK = Limits(per_minute=10, per_hour=1000, minute_s=0.3, hour_s=60, margin_s=0.03)
WINDOW_S = QUICK.minute_s + QUICK.margin_s


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture(params=["redis", "local"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    if request.param == "local":
        return LocalLimiter()
    return RedisLimiter(request.getfixturevalue("redis"))


def granted(limiter: Limiter, times: int, connection: str = "a", limits: Limits = QUICK, **more: bool) -> int:
    return sum(limiter.reserve("key", connection, limits, **more) == 0 for _ in range(times))


@pytest.mark.feature("E02")
def test_a_lone_connection_has_everything_but_what_is_kept_for_people(limiter: Limiter) -> None:
    assert granted(limiter, 30) == 8
    assert granted(limiter, 30, manual=True) == 2


@pytest.mark.feature("E02")
def test_a_place_comes_free_when_the_window_has_slid_past_and_not_before(limiter: Limiter) -> None:
    began = time.monotonic()
    assert granted(limiter, 30, manual=True) == 10
    wait = limiter.reserve("key", "a", QUICK, manual=True)
    assert 0 < wait <= WINDOW_S
    time.sleep(wait)
    assert limiter.reserve("key", "a", QUICK, manual=True) == 0
    assert time.monotonic() - began >= WINDOW_S - 0.005


@pytest.mark.feature("E02")
def test_connections_that_are_active_share_fairly(limiter: Limiter) -> None:
    assert granted(limiter, 1, "b") == 1
    assert granted(limiter, 30, "a") == 4
    assert granted(limiter, 30, "b") == 3
    assert granted(limiter, 30, "c") == 0  # the background part is used up, whatever c's share would be


@pytest.mark.feature("E02")
def test_a_connection_that_went_quiet_leaves_its_share(limiter: Limiter) -> None:
    granted(limiter, 1, "b")
    time.sleep(WINDOW_S + 0.02)
    assert granted(limiter, 30, "a") == 8


@pytest.mark.feature("E02")
def test_the_hour_counts_as_well(limiter: Limiter) -> None:
    tight = Limits(per_minute=100, per_hour=12, minute_s=0.05, hour_s=0.4, margin_s=0)
    assert granted(limiter, 50, limits=tight) == 12
    time.sleep(0.1)
    wait = limiter.reserve("key", "a", tight)
    assert 0.2 < wait <= 0.4
    time.sleep(wait)
    assert limiter.reserve("key", "a", tight) == 0


#: A "day" of a second and a half behind minutes that are over at once.
DAILY = Limits(per_minute=1000, per_hour=1000, minute_s=0.01, hour_s=0.02, margin_s=0, per_day=10, day_s=1.5)


@pytest.mark.feature("E02")
@pytest.mark.feature("S09")
def test_a_day_counts_where_the_vendor_counts_days_and_a_fifth_is_kept_for_people(limiter: Limiter) -> None:
    began = time.monotonic()
    assert granted(limiter, 30, limits=DAILY) == 8
    assert granted(limiter, 30, limits=DAILY, manual=True) == 2
    for manual in (True, False):
        assert 0 < limiter.reserve("key", "a", DAILY, manual=manual) <= 1.5
    time.sleep(max(0.0, began + 1.5 + 0.05 - time.monotonic()))
    assert limiter.reserve("key", "a", DAILY) == 0, "the day slides"


@pytest.mark.feature("E02")
def test_the_longer_wait_is_told_where_the_day_and_the_minute_are_used_up(limiter: Limiter) -> None:
    limits = Limits(per_minute=5, per_hour=1000, per_day=5)
    granted(limiter, 30, limits=limits, manual=True)
    assert limiter.reserve("key", "a", limits, manual=True) == pytest.approx(86_401, abs=5)
    with pytest.raises(PmsRateLimited) as raised:  # and nobody waits for it
        limiter.acquire("key", "a", limits, manual=True)
    assert raised.value.retry_after_s == pytest.approx(86_401, abs=5)
    assert raised.value.reason == "day_used_up"


@pytest.mark.feature("E02")
def test_a_used_up_hour_or_a_refusal_is_not_told_as_a_used_up_day(limiter: Limiter) -> None:
    hourly = Limits(per_minute=1000, per_hour=5, per_day=500)
    granted(limiter, 5, limits=hourly)
    limiter.handle_rate_limit_response("shut", 600)
    for key in ("key", "shut"):
        with pytest.raises(PmsRateLimited) as raised:
            limiter.acquire(key, "a", hourly)
        assert raised.value.reason == "rate_limited"


@pytest.mark.feature("E02")
def test_a_day_that_is_used_up_is_worth_coming_back_to_once_several_calls_are_free(limiter: Limiter) -> None:
    limits = Limits(per_minute=1000, per_day=50)
    assert granted(limiter, 2, limits=limits) == 2
    time.sleep(0.5)
    began = time.monotonic()
    assert granted(limiter, 50, limits=limits) == 38
    wait = limiter.reserve("key", "a", limits)
    # Not for the first two, half a second older: until the third has left the day, two more with it.
    assert wait > limits.day_s + limits.margin_s - (time.monotonic() - began) - 0.02
    assert (limits.day_again(False), limits.day_again(True), Limits(per_day=10).day_again(True)) == (38, 48, 10)


@pytest.mark.feature("E02")
def test_a_days_calls_are_remembered_by_another_worker_and_for_a_day(redis: Redis) -> None:
    limits = Limits(per_day=10, day_s=86_400)
    granted(RedisLimiter(redis), 30, limits=limits)
    assert granted(RedisLimiter(redis), 30, limits=limits) == 0
    assert granted(RedisLimiter(redis), 30, limits=limits, manual=True) == 2
    assert max(redis.pttl(key) for key in redis.scan_iter()) > 86_000_000


@pytest.mark.feature("E02")
def test_without_redis_each_worker_keeps_to_its_part_of_the_day(no_redis: Redis) -> None:
    limiter = FallbackLimiter(RedisLimiter(no_redis), LocalLimiter(workers=2))
    assert granted(limiter, 30, limits=Limits(per_day=20), manual=True) == 10


@pytest.mark.feature("E02")
def test_keys_do_not_touch_each_other(limiter: Limiter) -> None:
    granted(limiter, 30, manual=True)
    assert limiter.reserve("another key", "a", QUICK) == 0


@pytest.mark.feature("E02")
@pytest.mark.fault("F8")
def test_after_a_429_a_key_is_shut_for_everybody_and_other_keys_are_not(limiter: Limiter) -> None:
    limiter.handle_rate_limit_response("key", 0.2)
    limiter.handle_rate_limit_response("key", 0.05)  # a shorter one does not open it earlier
    waits = [limiter.reserve("key", name, QUICK, manual=manual) for name in "ab" for manual in (True, False)]
    assert all(0.15 < wait <= 0.2 for wait in waits)
    assert limiter.reserve("another key", "a", QUICK) == 0
    time.sleep(0.21)
    assert limiter.reserve("key", "a", QUICK) == 0


def test_a_429_that_names_no_time_shuts_for_a_moment(limiter: Limiter) -> None:
    limiter.handle_rate_limit_response("key")
    assert 0.9 < limiter.reserve("key", "a", QUICK) <= 1.0


@pytest.mark.feature("E02")
def test_acquire_waits_for_a_place_or_hands_a_long_wait_up(limiter: Limiter) -> None:
    granted(limiter, 30, manual=True)
    assert 0 < limiter.acquire("key", "a", QUICK, manual=True) <= WINDOW_S
    limiter.handle_rate_limit_response("key", 500)
    with pytest.raises(PmsRateLimited) as raised:
        limiter.acquire("key", "a", QUICK)
    assert raised.value.retry_after_s == pytest.approx(500, abs=1)


@pytest.mark.feature("E02")
def test_no_credential_stands_in_redis(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    limiter.reserve("gentu client-42", "connection-7", QUICK)
    limiter.handle_rate_limit_response("gentu client-42", 5)
    stored = b"".join(key + redis.dump(key) for key in redis.scan_iter())
    assert b"client-42" not in stored
    assert b"connection-7" not in stored


@pytest.mark.feature("E02")
def test_nothing_stays_in_redis_for_ever(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    limiter.reserve("key", "a", Limits())
    limiter.handle_rate_limit_response("key", 5)
    assert len(redis.keys()) == 4
    assert all(0 < redis.pttl(key) <= 3_601_000 for key in redis.scan_iter())


@pytest.mark.feature("E02")
@pytest.mark.fault("F54")
def test_a_flushed_script_cache_is_survived(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    assert granted(limiter, 1) == 1
    redis.script_flush()
    limiter.handle_rate_limit_response("another key", 1)
    assert granted(limiter, 30) == 7


def test_the_limits_are_the_operators_or_the_houses() -> None:
    assert Limits.of(VendorSettings()) == Limits(60, 1000)
    assert Limits.of(VendorSettings(requests_per_minute=5, requests_per_hour=50)) == Limits(5, 50)
    theirs = Limits(per_minute=10, per_day=500)
    assert Limits.of(VendorSettings(), theirs) == theirs
    assert Limits.of(VendorSettings(requests_per_day=900), theirs) == Limits(10, per_day=900)
    assert [Limits(per_day=500).day(manual) for manual in (True, False)] == [500, 400]
    assert [Limits().day(manual) for manual in (True, False)] == [None, None]
    assert (Limits(1).background, Limits(4).background, Limits(60).background) == (1, 4, 48)


# --- many at once -----------------------------------------------------------------------------------------------------


def _ask_for_a_while(redis_url: str, url: str, name: str, limits: Limits, manual: bool, until: float) -> None:
    """One worker: a place, then a real request, again and again."""
    limiter = RedisLimiter(Redis.from_url(redis_url))
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    while time.monotonic() < until:
        try:
            limiter.acquire("key", name, limits, manual=manual, max_wait_s=max(0.0, until - time.monotonic()))
        except PmsRateLimited:
            return
        connection.request("GET", f"/{name}")
        connection.getresponse().read()


def workers(target: Callable[..., None], *jobs: tuple[object, ...]) -> None:
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=target, args=job) for job in jobs]
    for process in running:
        process.start()
    for process in running:
        process.join(20)
    assert [process.exitcode for process in running] == [0] * len(running)


def most_within(times: list[float], window_s: float) -> int:
    times = sorted(times)
    return max(sum(start <= at < start + window_s for at in times) for start in times)


@pytest.mark.feature("E02")
@pytest.mark.promise("P9")
@pytest.mark.parametrize("manual", [True, False])
def test_twelve_workers_together_never_exceed_the_limit_on_the_servers_clock(
    redis_url: str, server: Scripted, manual: bool
) -> None:
    # A generous margin: on a busy machine a worker may be put to sleep between its place and its request.
    limits = Limits(per_minute=60, per_hour=100_000, minute_s=0.8, margin_s=0.5)
    server._standing = {f"/{number}": lambda _: answer() for number in range(12)}
    until = time.monotonic() + 2.8
    workers(_ask_for_a_while, *[(redis_url, server.url, str(number), limits, manual, until) for number in range(12)])
    times = [asked.at for asked in server.asked]
    allowed = 60 if manual else 48
    assert most_within(times, 0.8) <= allowed
    assert len(times) > allowed  # and it is no standstill either: more than one minute's worth came through
    if not manual:
        settled = min(times) + 1.2  # by then every worker has asked, and the first come have had their surplus
        late = [[at for at in server.times(f"/{number}") if at > settled] for number in range(12)]
        assert max(most_within(one, 0.8) for one in late) <= 4
        assert min(len(one) for one in late) >= 3


def test_many_threads_of_one_process_do_not_exceed_it_either() -> None:
    limiter, times = LocalLimiter(), list[float]()

    def ask() -> None:
        while time.monotonic() < until:
            if not limiter.reserve("key", "a", QUICK, manual=True):
                times.append(time.monotonic())

    until = time.monotonic() + 0.8
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_within(times, QUICK.minute_s) <= 10
    assert len(times) >= 20


def set_back(redis: Redis, seconds: float) -> None:
    """What Redis holds, as its clock would see it after it was set back by so much."""
    for key in redis.scan_iter():
        if redis.type(key) == b"zset":
            redis.zadd(
                key, {member: score + seconds * 1e6 for member, score in redis.zrange(key, 0, -1, withscores=True)}
            )
        else:
            redis.set(key, " ".join(str(int(one) + int(seconds * 1e6)) for one in redis.get(key).split()), keepttl=True)


@pytest.mark.feature("E02")
@pytest.mark.fault("F46")
def test_a_clock_that_is_set_back_costs_one_window_and_no_more(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    assert granted(limiter, 30, manual=True) == 10
    set_back(redis, 3600)
    wait = limiter.reserve("key", "a", QUICK, manual=True)
    assert 0 < wait <= WINDOW_S + 0.001, "neither an hour's wait nor a second minute's worth"
    time.sleep(wait)
    assert granted(limiter, 30, manual=True) == 10


@pytest.mark.fault("F46")
def test_a_pause_the_vendor_asked_for_lasts_as_long_whatever_the_clock_does(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    limiter.handle_rate_limit_response("key", 0.3)
    set_back(redis, 3600)
    assert 0.25 < limiter.reserve("key", "a", QUICK) <= 0.3
    limiter.handle_rate_limit_response("key", 0.1)
    time.sleep(0.15)
    assert 0 < limiter.reserve("key", "a", QUICK) <= 0.15
    time.sleep(0.16)
    assert limiter.reserve("key", "a", QUICK) == 0


# --- without Redis ----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_redis() -> Iterator[Redis]:
    with Redis.from_url("unix:///nowhere/redis.sock", socket_connect_timeout=0.1) as connection:
        yield connection


@pytest.mark.feature("E02")
@pytest.mark.promise("P9")
def test_without_redis_each_worker_keeps_to_its_part(no_redis: Redis) -> None:
    with pytest.raises(RedisError):
        RedisLimiter(no_redis).reserve("key", "a", QUICK)
    limiter = FallbackLimiter(RedisLimiter(no_redis), LocalLimiter(workers=2))
    assert granted(limiter, 30, manual=True) == 5
    limiter.handle_rate_limit_response("another key", 5)
    assert 4 < limiter.reserve("another key", "a", QUICK) <= 5


@pytest.mark.feature("E02")
def test_what_redis_allowed_counts_when_redis_goes_away(redis: Redis, no_redis: Redis) -> None:
    slow = Limits(per_minute=10, minute_s=60)
    local = LocalLimiter(workers=2)
    granted(FallbackLimiter(RedisLimiter(redis), local), 5, limits=slow, manual=True)
    assert granted(FallbackLimiter(RedisLimiter(no_redis), local), 30, limits=slow, manual=True) == 0


@pytest.mark.feature("E02")
def test_redis_is_used_again_when_it_is_back(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = RedisLimiter(redis)
    limiter = FallbackLimiter(shared, LocalLimiter(workers=10))
    with monkeypatch.context() as patched:
        patched.setattr(shared, "_reserve", lambda **_: (_ for _ in ()).throw(RedisError("gone")))
        assert granted(limiter, 5) == 1
    assert granted(limiter, 5) == 0  # Redis is left alone for a second
    monkeypatch.setattr(limiter, "_ask_redis_from", 0.0)
    assert granted(limiter, 5) == 5


@pytest.mark.feature("E02")
@pytest.mark.fault("F8")
def test_a_key_that_was_shut_while_redis_was_away_stays_shut_when_it_is_back(redis: Redis, no_redis: Redis) -> None:
    local = LocalLimiter()
    FallbackLimiter(RedisLimiter(no_redis), local).handle_rate_limit_response("key", 5)
    back = FallbackLimiter(RedisLimiter(redis), local)
    assert 4 < back.reserve("key", "a", QUICK) <= 5
    assert back.reserve("another key", "a", QUICK) == 0


def test_waiting_goes_through_the_house_clock_and_never_spins(waits: Waits) -> None:
    now = [0.0]
    limits = Limits(per_minute=2, per_hour=100)

    def sleep(seconds: float) -> None:
        waits(seconds)
        now[0] += seconds

    limiter = LocalLimiter(sleep=sleep, monotonic=lambda: now[0])
    at = []
    for _ in range(4):
        limiter.acquire("key", "a", limits, manual=True, max_wait_s=62)
        at.append(now[0])
    assert at == [0.0, 0.0, 61.0, 61.0]
    assert [later - earlier for earlier, later in pairwise(at)] == [0.0, 61.0, 0.0]
    assert len(waits.slept) == 61
