-- Remove a resting message.
--
-- KEYS  1 due (zset); 2 delayed (hash): see rest.lua
-- ARGV  1 id
-- Returns how many there were.
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
