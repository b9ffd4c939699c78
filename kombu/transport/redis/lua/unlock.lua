-- Let go of a mutex.
--
-- KEYS  1 mutex (string)
-- ARGV  1 token that it was taken with
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
