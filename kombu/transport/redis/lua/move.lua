-- uses: ring
-- Settle a message in flight, and put copies of it into other queues.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset): see claim.lua
--       then pairs: a list, and the bell (list) of its queue
-- ARGV  1 tag; then the text for each pair
-- Returns 1; or 0 if it was not in flight any more.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
for place = 3, #KEYS, 2 do
  redis.call('LPUSH', KEYS[place], ARGV[(place + 1) / 2])
  ring(KEYS[place + 1])
end
return 1
