-- Wake one of those who wait for a queue, unless that is under way.
-- In a cluster nobody can wait for lists of several nodes: there, all are woken.
local function ring(bell)
  if rings_by_channel then
    redis.call('PUBLISH', bell, '1')
  elseif redis.call('EXISTS', bell) == 0 then
    redis.call('RPUSH', bell, '1')
    redis.call('EXPIRE', bell, 60)
  end
end
