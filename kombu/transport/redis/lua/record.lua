-- uses: server_time
-- Write or remove a record.
--
-- KEYS  1 records (hash) of a kind: group, a null byte and name -> value as JSON;
--       2 version (string) of the topology: the time of its last change
--       3 binding (set), and 4 binding_permanent (set), if a row of old peers goes with
--         the record
-- ARGV  1 what to do: add, write or remove; 2 the field; 3 its value; 4 whether it
--       is topology (0 or 1); 5 the row, if any
-- Returns whether it was added, or was there to be removed (0 or 1).
local what = ARGV[1]
local done
if what == 'remove' then
  done = redis.call('HDEL', KEYS[1], ARGV[2])
elseif what == 'add' then
  done = redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
else
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
  done = 1
end
if KEYS[3] then
  for place = 3, 4 do
    if what == 'remove' then
      done = math.max(redis.call('SREM', KEYS[place], ARGV[5]), done)
    else
      redis.call('SADD', KEYS[place], ARGV[5])
    end
  end
end
if ARGV[4] == '1' and done == 1 then
  local last = tonumber(redis.call('GET', KEYS[2]) or '0')
  redis.call('SET', KEYS[2], string.format('%.0f', math.max(server_time(), last + 1)))
end
return done
