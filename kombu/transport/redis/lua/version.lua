-- uses: stamp
-- Tell the version of the topology.
--
-- KEYS  1 version (string); then bindings (sets): rows of old peers, by exchange
-- Returns the version, and a stamp for each set.
local reply = {redis.call('GET', KEYS[1]) or ''}
for place = 2, #KEYS do
  reply[place] = stamp(KEYS[place])
end
return reply
