-- uses: server_time
-- Renew the leases of messages in flight.
--
-- KEYS  1 unacked_index (zset): see claim.lua
-- ARGV  1 seconds; then tags
local deadline = string.format('%.6f', server_time() / 1000000 + tonumber(ARGV[1]))
for place = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', deadline, ARGV[place])
end
return #ARGV - 1
