-- uses: server_time
-- Have the lease of an owner last.
--
-- KEYS  1 owners (zset): ids of connections, by the deadline of their lease (seconds)
-- ARGV  1 owner; 2 seconds
-- Returns whether it was alive (0 or 1), and the time (microseconds).
local now = server_time()
local deadline = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
redis.call('ZADD', KEYS[1], string.format('%.6f', now / 1000000 + tonumber(ARGV[2])), ARGV[1])
-- Nobody asks for those that have been dead for long.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now / 1000000 - 3600))
return {deadline > now / 1000000 and 1 or 0, string.format('%.0f', now)}
