-- uses: queue_of, size_of
-- Remove all messages that wait in a queue.
--
-- KEYS  1 the queue (list); 2 bell (list); 3 due (zset); 4 delayed (hash): see claim.lua
-- ARGV  1 separator; 2 levels
-- Returns how many there were.
local queue = queue_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2])
local count = size_of(queue) + redis.call('ZCARD', queue.due)
redis.call('DEL', queue.bell, queue.due, queue.delayed, unpack(queue.lists))
return count
