-- Microseconds since 1970, by the server's clock.
local function server_time()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end
