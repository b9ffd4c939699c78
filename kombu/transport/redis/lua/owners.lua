-- uses: server_time
-- List the owners whose lease has not run out.
--
-- KEYS  1 owners (zset): see renew.lua
local now = string.format('(%.6f', server_time() / 1000000)
return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
