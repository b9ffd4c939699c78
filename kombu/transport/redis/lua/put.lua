-- uses: ring, stamp
-- Put one message into lists, if the sender's view of the topology is right.
--
-- KEYS  1   version  string  of the topology   \ as many of these
--       2   binding  set     rows of old peers / as ARGV[1] says
--       then for each list
--         +0  list   ready messages, the next one at the right
--         +1  bell   list    holds one element while it rings
-- ARGV  1 number of keys to check; 2 version that the sender knows; 3 stamp of the
--       bindings that it knows; 4 the message
-- Returns 1; or 0, with nothing put, if the topology has changed.
local checks = tonumber(ARGV[1])
if checks > 0 and (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then
  return 0
end
if checks > 1 and stamp(KEYS[2]) ~= ARGV[3] then
  return 0
end
for place = checks + 1, #KEYS, 2 do
  redis.call('LPUSH', KEYS[place], ARGV[4])
  ring(KEYS[place + 1])
end
return 1
