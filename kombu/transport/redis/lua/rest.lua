-- uses: server_time, ring
-- Have a message rest in its queue until it is due.
--
-- KEYS  1 due (zset): ids, by when they are due (ms); 2 delayed (hash): id -> level:message;
--       3 bell (list)
-- ARGV  1 id; 2 when it is due (ms); 3 level:message
local id = ARGV[1]
if redis.call('HEXISTS', KEYS[2], id) == 1 then
  id = id .. ':' .. string.format('%.0f', server_time())
end
redis.call('HSET', KEYS[2], id, ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], id)
-- Who waits must know that it has to wait less long.
if redis.call('ZRANK', KEYS[1], id) == 0 then
  ring(KEYS[3])
end
return 1
