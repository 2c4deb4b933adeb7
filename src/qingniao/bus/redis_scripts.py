"""What Redis does in one step on behalf of the queue and the limits.

Owns the scripts; each touches the keys of one slot only. They are sent whole every time: the server
keeps them compiled, and one that came back empty needs no second try. Rule: time is the server's.

Beside a stream `S` there are `S:s:<conversation>` (it waits already), `S:b:<conversation>` (who is
at it), `S:p:<conversation>` (set aside for a while) and the stream `S:dead`.
"""

from typing import Final

__all__ = ["BEAT", "DONE", "FORGIVE", "GCRA", "KEEP", "PUT", "SET_ASIDE", "TAKE", "TRY"]

PUT: Final = """
for i = 3, #ARGV do
  if redis.call('SET', KEYS[1] .. ':s:' .. ARGV[i], '1', 'NX', 'PX', ARGV[2]) then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'c', ARGV[i])
  end
end
return 1
"""
"""(stream; most entries, ms to suppress repeats, conversations…)"""

TAKE: Final = """
local verdicts = {}
for i = 3, #ARGV do
  redis.call('DEL', KEYS[1] .. ':s:' .. ARGV[i])
  local busy = KEYS[1] .. ':b:' .. ARGV[i]
  local who = redis.call('GET', busy)
  local verdict = 0
  if redis.call('EXISTS', KEYS[1] .. ':p:' .. ARGV[i]) == 1 then
    verdict = 2
  elseif not who or who == ARGV[1] then
    redis.call('SET', busy, ARGV[1], 'PX', ARGV[2])
    verdict = 1
  end
  verdicts[#verdicts + 1] = verdict
end
return verdicts
"""
"""(stream; who, ms to have it, conversations…) → for each: 1 yours, 0 another's, 2 set aside"""

DONE: Final = """
for i = 4, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  redis.call('XDEL', KEYS[1], ARGV[i])
end
local busy = KEYS[1] .. ':b:' .. ARGV[3]
if redis.call('GET', busy) == ARGV[2] then redis.call('DEL', busy) end
return 1
"""
"""(stream; group, who, conversation, entries…)"""

KEEP: Final = """
for i = 4, #ARGV, 2 do
  local busy = KEYS[1] .. ':b:' .. ARGV[i]
  if redis.call('GET', busy) == ARGV[2] then
    redis.call('PEXPIRE', busy, ARGV[3])
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i + 1], 'JUSTID')
  end
end
return 1
"""
"""(stream; group, who, ms to have it, conversation, entry, …). What another has taken over in the
meantime stays theirs."""

SET_ASIDE: Final = """
redis.call('XADD', KEYS[1] .. ':dead', 'MAXLEN', '~', 1000, '*', 'c', ARGV[2], 'times', ARGV[4])
redis.call('SET', KEYS[1] .. ':p:' .. ARGV[2], '1', 'PX', ARGV[5])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return 1
"""
"""(stream; group, conversation, entry, times, ms to leave it alone)"""

BEAT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
"""(sorted set; who, ms without a beat to be gone) → who is there"""

GCRA: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local each, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
if due + each - now > room then return math.max(1, math.ceil(due + each - now - room)) end
redis.call('SET', KEYS[1], tostring(due + each), 'PX', math.ceil(due + each - now) + 1000)
return 0
"""
"""(key; ms that one costs, ms that may be owed) → 0 or the ms to wait"""

TRY: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local count, at = 0, 0
local kept = redis.call('HMGET', KEYS[1], 'count', 'at')
if kept[1] then count, at = tonumber(kept[1]), tonumber(kept[2]) end
local wait = 0
if count >= tonumber(ARGV[1]) then
  local delay = math.min(tonumber(ARGV[2]), 1000 * 2 ^ math.min(count - tonumber(ARGV[1]), 20))
  wait = math.max(0, math.ceil(delay - (now - at)))
end
if wait == 0 and ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'count', count + 1, 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return wait
"""
"""(key; tries that are free, longest delay in ms, ms to forget, "1" to count it) → ms to wait"""

FORGIVE: Final = """
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or 0)
if count <= tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'count', count - ARGV[1])
end
return 1
"""
"""(key; how many tries less)"""
