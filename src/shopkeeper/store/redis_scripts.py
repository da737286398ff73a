"""What a Redis does with session trails in one step each, so that processes that fold at once do not harm each other.

A trail is one hash: event id to ``time arrival customer payload``, and under the empty name its token. The head is a hash
of two numbers: `counter` gives tokens and arrivals, `generation` is what a token must exceed. A token below zero marks a
trail that is still being read from the log. A head that is gone begins anew at the server's time, above all old tokens.
"""

from __future__ import annotations

_COMMON = """
local function text(number) return string.format('%.0f', number) end

local function begin(head)
  local time = redis.call('TIME')
  local count = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('HGET', head, 'counter') or '0'))
  redis.call('HSET', head, 'counter', text(count), 'generation', text(count))
  return count
end

local function generation(head)
  return tonumber(redis.call('HGET', head, 'generation') or begin(head))
end

local function token(trail) return tonumber(redis.call('HGET', trail, '') or '0') end

local function places(trail)
  local found, flat = {}, redis.call('HGETALL', trail)
  for i = 1, #flat, 2 do
    local time, arrival = string.match(flat[i + 1], '^(%-?%d+) (%d+) ')
    if time then found[#found + 1] = {tonumber(time), tonumber(arrival), flat[i], time} end
  end
  table.sort(found, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end)
  return found
end

local function trim(trail, depth)
  if redis.call('HLEN', trail) <= depth * 1.25 + 1 then return end
  local found = places(trail)
  for i = 1, #found - depth do redis.call('HDEL', trail, found[i][3]) end
end
"""

BEGIN = _COMMON + "return text(begin(KEYS[1]))"
"""KEYS head. No trail that stands is valid any more."""

READ = (
    _COMMON
    + """
local oldest, answer = generation(KEYS[1]), {}
for k = 2, #KEYS do
  local own = token(KEYS[k])
  if math.abs(own) <= oldest then
    own = -redis.call('HINCRBY', KEYS[1], 'counter', 1)
    redis.call('DEL', KEYS[k])
    redis.call('HSET', KEYS[k], '', text(own))
  end
  redis.call('EXPIRE', KEYS[k], ARGV[1])
  answer[#answer + 1] = own < 0 and {text(own)} or redis.call('HVALS', KEYS[k])
end
return answer
"""
)
"""KEYS head, trails; ARGV seconds to keep. Of each trail all values, or only its token below zero where it must be read."""

COMPLETE = (
    _COMMON
    + """
if token(KEYS[2]) ~= tonumber(ARGV[1]) or math.abs(ARGV[1]) <= generation(KEYS[1]) then return false end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
trim(KEYS[2], tonumber(ARGV[2]))
redis.call('HSET', KEYS[2], '', string.sub(ARGV[1], 2))
return redis.call('HVALS', KEYS[2])
"""
)
"""KEYS head, trail; ARGV token, depth, then (id, value) as the log has them. All values, or nothing if it was overtaken."""

FOLD = (
    _COMMON
    + """
local oldest, depth, held = generation(KEYS[1]), tonumber(ARGV[1]), {}
for k = 2, #KEYS do held[k] = math.abs(token(KEYS[k])) > oldest end
for i = 3, #ARGV, 6 do
  local arrival = 4503599627370496 + redis.call('HINCRBY', KEYS[1], 'counter', 1)
  for place = i + 4, i + 5 do
    local k = tonumber(ARGV[place])
    if held[k] and redis.call('HEXISTS', KEYS[k], ARGV[i]) == 0 then
      local time = ARGV[i + 1]
      if time == '' then
        local known = places(KEYS[k])
        time = #known > 0 and known[#known][4] or ARGV[2]
      end
      redis.call('HSET', KEYS[k], ARGV[i], table.concat({time, text(arrival), ARGV[i + 2], ARGV[i + 3]}, ' '))
    end
  end
end
for k = 2, #KEYS do if held[k] then trim(KEYS[k], depth) end end
return 1
"""
)
"""KEYS head, trails; ARGV depth, now, then (id, time or '' for a clock ahead, customer, payload, key, key or 0)."""

FORGET = """
for k = 1, #KEYS do
  for _, value in ipairs(redis.call('HVALS', KEYS[k])) do
    if string.find(value, ' ' .. ARGV[1] .. ' ', 1, true) then
      redis.call('DEL', KEYS[k])
      break
    end
  end
end
return 1
"""
"""KEYS trails; ARGV customer. Those that hold anything of the customer are deleted."""
