"""The sliding window of limits.py, kept in Redis: one script, one round trip a call, Redis's clock for everybody (P9).

Keys are digests: no client id stands in Redis. SCRIPT FLUSH and a fail-over are survived, because redis-py loads a
script again when the server does not know it (F54). A clock that is set back costs at most a window's wait: what then
lies in the future counts as made at that moment (F46). One that is set forward cannot be told from time that passed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from itertools import count

from redis import Redis

from app.pms.limits import DayWait, Limits, Waiting, shut_for

#: KEYS: calls of the key, calls of this connection, connections active on the key, shut until.
#: ARGV: limit a minute, its background part, limit an hour, minute and hour in µs (margin included), manual or not,
#: connection, a nonce, limit a day (this caller's part; 0: none), day in µs, how many µs a call is remembered, what a
#: day that is used up must come down to.
#: Answers the µs to wait, 0 when a place was taken; "day" before them where it is the day that is used up. All times
#: are Redis's.
_RESERVE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local minute, hour = tonumber(ARGV[4]), tonumber(ARGV[5])
local day, kept = tonumber(ARGV[10]), tonumber(ARGV[11])
local minute_ago, hour_ago = now - minute, now - hour

local function oldest_but(key, from, skip)   -- when the (skip+1)-th oldest call since `from` was made
  return tonumber(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', from), '+inf', 'WITHSCORES',
                             'LIMIT', skip, 1)[2])
end
local function wait_for(key, from, window, allowed)   -- until fewer than `allowed` calls lie in the window
  local made = redis.call('ZCOUNT', key, '(' .. string.format('%.0f', from), '+inf')
  if made < allowed then return 0 end
  return oldest_but(key, from, made - allowed) + window - now + 1
end

local function brought_back(key)   -- from the future: the clock was set back, so they count as made just now
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf')) do
    redis.call('ZADD', key, string.format('%.0f', now), member)
  end
end
local function until_open()
  local till, since = string.match(redis.call('GET', KEYS[4]) or '', '^(%d+) (%d+)$')
  if not till then return 0 end
  local left = tonumber(till) - math.max(now, tonumber(since))
  if tonumber(since) > now and left > 0 then
    redis.call('SET', KEYS[4], string.format('%.0f %.0f', now + left, now), 'PX', math.ceil(left / 1000) + 1)
  end
  return left
end

brought_back(KEYS[1])
brought_back(KEYS[2])
brought_back(KEYS[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - kept))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', minute_ago))
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', minute_ago))
redis.call('ZADD', KEYS[3], string.format('%.0f', now), ARGV[7])
redis.call('PEXPIRE', KEYS[3], math.ceil(minute / 1000))

local wait = math.max(until_open(), wait_for(KEYS[1], hour_ago, hour, tonumber(ARGV[3])))
local of_day = 0
if tonumber(ARGV[9]) > 0 and wait_for(KEYS[1], now - day, day, tonumber(ARGV[9])) > 0 then
  of_day = wait_for(KEYS[1], now - day, day, tonumber(ARGV[12]))
end
if ARGV[6] == '1' then
  wait = math.max(wait, wait_for(KEYS[1], minute_ago, minute, tonumber(ARGV[1])))
else
  local background = tonumber(ARGV[2])
  local share = math.max(1, math.floor(background / redis.call('ZCARD', KEYS[3])))
  wait = math.max(wait, wait_for(KEYS[1], minute_ago, minute, background), wait_for(KEYS[2], minute_ago, minute, share))
end
if of_day > wait then return string.format('day %.0f', of_day) end
if wait > 0 then return string.format('%.0f', wait) end

local member = string.format('%.0f', now) .. ':' .. ARGV[8]
redis.call('ZADD', KEYS[1], string.format('%.0f', now), member)
redis.call('ZADD', KEYS[2], string.format('%.0f', now), member)
redis.call('PEXPIRE', KEYS[1], math.ceil(kept / 1000))
redis.call('PEXPIRE', KEYS[2], math.ceil(minute / 1000))
return '0'
"""

#: KEYS: shut until. ARGV: µs from now. Only ever prolongs.
_SHUT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local till, since = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local left = till and tonumber(till) - math.max(now, tonumber(since)) or 0
if tonumber(ARGV[1]) > left then
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now + tonumber(ARGV[1]), now), 'PX',
             math.ceil(tonumber(ARGV[1]) / 1000) + 1)
end
return redis.status_reply('OK')
"""


class RedisLimiter(Waiting):
    """The window in Redis. One round trip a call; the scripts reload themselves when Redis forgets them."""

    def __init__(self, redis: Redis, sleep: Callable[[float], None] | None = None) -> None:
        super().__init__(sleep)
        self._reserve = redis.register_script(_RESERVE)
        self._shut = redis.register_script(_SHUT)
        self._nonces = count()

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        name, caller = _names(key), _digest(connection)
        answer = self._reserve(
            keys=[f"{name}:calls", f"{name}:calls:{caller}", f"{name}:active", f"{name}:shut"],
            args=[
                limits.per_minute,
                limits.background,
                limits.per_hour,
                _micros(limits.minute_s + limits.margin_s),
                _micros(limits.hour_s + limits.margin_s),
                int(manual),
                caller,
                f"{os.getpid()}:{id(self)}:{next(self._nonces)}",
                limits.day(manual) or 0,
                _micros(limits.day_s + limits.margin_s),
                _micros(limits.longest_s),
                limits.day_again(manual),
            ],
        )
        word, _, micros = answer.decode().rpartition(" ")
        return DayWait(int(micros) / 1e6) if word else int(micros) / 1e6

    def handle_rate_limit_response(self, key: str, retry_after_s: float | None = None) -> None:
        self._shut(keys=[f"{_names(key)}:shut"], args=[_micros(shut_for(retry_after_s))])


def _digest(text: str) -> str:
    """A name for a key that does not show what it is made of."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _names(key: str) -> str:
    return f"runsheet:limit:{{{_digest(key)}}}"  # the braces keep a key's parts on one node of a cluster


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
