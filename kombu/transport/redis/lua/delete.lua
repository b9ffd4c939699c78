-- uses: queue_of
-- Remove a queue, with what waits in it and what is in flight.
--
-- KEYS  1 the queue (list); 2 bell (list); 3 due (zset); 4 delayed (hash);
--       5 unacked (hash); 6 unacked_index (zset): see claim.lua
-- ARGV  1 separator; 2 levels; 3 beginning of our tags; 4 name of the queue
local queue = queue_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2])
redis.call('DEL', queue.bell, queue.due, queue.delayed, unpack(queue.lists))
local ending = ':' .. ARGV[4]
for _, tag in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do
  if string.sub(tag, 1, #ARGV[3]) == ARGV[3] and string.sub(tag, -#ending) == ending then
    redis.call('HDEL', KEYS[5], tag)
    redis.call('ZREM', KEYS[6], tag)
  end
end
return 1
