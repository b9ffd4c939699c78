-- uses: server_time
-- List messages in flight whose consumers are dead.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset): see claim.lua; of old peers the
--         score is when they took it; 3 mutex (string): who lists them at the moment
-- ARGV  1 beginning of our tags; 2 seconds until what an old peer took counts as lost;
--       3 most messages; 4 token for the mutex; 5 milliseconds that it holds
-- Returns tag and value of each; nothing if somebody else is at it.
local now = server_time() / 1000000
local old = now - tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local tags = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', old, 'LIMIT', 0, limit)
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.6f', old), now)) do
  if #tags < limit and string.sub(tag, 1, #ARGV[1]) == ARGV[1] then
    tags[#tags + 1] = tag
  end
end
if #tags == 0 then
  return {}
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[4] then
  return {}
end
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
local reply = {}
for _, tag in ipairs(tags) do
  local value = redis.call('HGET', KEYS[1], tag)
  if value then
    reply[#reply + 1] = tag
    reply[#reply + 1] = value
  else
    redis.call('ZREM', KEYS[2], tag)
  end
end
return reply
