-- uses: server_time, list_key, split, expires_at
-- Tell when something happens next in some queues by itself.
--
-- KEYS  for each queue: its name (list), due (zset): see claim.lua
-- ARGV  1 separator; then for each queue: its levels
-- Returns the time (microseconds), and a moment (milliseconds, or an empty text):
-- when a resting message is due, or the one at the head of a list expires.
local now = server_time()
local next = nil
local function consider(moment)
  if moment and (not next or moment < next) then
    next = moment
  end
end
for number = 1, #KEYS / 2 do
  local base, due = KEYS[number * 2 - 1], KEYS[number * 2]
  local after = string.format('(%.3f', now / 1000)
  local first = redis.call('ZRANGEBYSCORE', due, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  consider(tonumber(first[2] or ''))
  for _, level in ipairs(split(ARGV[number + 1])) do
    local message = redis.call('LINDEX', list_key(base, ARGV[1], level), -1)
    consider(message and expires_at(message))
  end
end
return {string.format('%.0f', now), next and string.format('%.0f', next) or ''}
