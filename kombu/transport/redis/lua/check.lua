-- uses: stamp
-- Tell whether the sender's view of the topology is right.
--
-- KEYS  1 version (string) of the topology; 2 binding (set): rows of old peers, if given
-- ARGV  1 version that the sender knows; 2 stamp of the bindings that it knows
-- Returns 1 or 0.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if KEYS[2] and stamp(KEYS[2]) ~= ARGV[2] then
  return 0
end
return 1
