-- uses: server_time, queue_of, bring_due, size_of
-- Count the ready messages of a queue.
--
-- KEYS  1 the queue (list); 2 bell (list); 3 due (zset); 4 delayed (hash): see claim.lua
-- ARGV  1 separator; 2 levels
local queue = queue_of(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2])
bring_due(queue, server_time())
return size_of(queue)
