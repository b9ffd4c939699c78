-- Remove messages from the in-flight record: they are done with.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset): see claim.lua
-- ARGV  tags
for first = 1, #ARGV, 1000 do
  local last = math.min(first + 999, #ARGV)
  redis.call('HDEL', KEYS[1], unpack(ARGV, first, last))
  redis.call('ZREM', KEYS[2], unpack(ARGV, first, last))
end
return #ARGV
