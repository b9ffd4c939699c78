-- uses: list_key
-- Make the messages ready that rest in a queue, and are due.
-- Returns when the next one is, in milliseconds; false if there is none.
-- They have not rung: the queue notes that there were some.
local function bring_due(queue, now)
  while true do
    local first = redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')
    if not first[1] then
      return false
    end
    if tonumber(first[2]) > now / 1000 then
      return first[2]
    end
    local limit = string.format('%.3f', now / 1000)
    local ids = redis.call('ZRANGEBYSCORE', queue.due, '-inf', limit, 'LIMIT', 0, 200)
    for _, id in ipairs(ids) do
      local entry = redis.call('HGET', queue.delayed, id)
      if entry then
        local colon = string.find(entry, ':', 1, true)
        local list = list_key(queue.base, queue.sep, string.sub(entry, 1, colon - 1))
        redis.call('LPUSH', list, string.sub(entry, colon + 1))
        redis.call('HDEL', queue.delayed, id)
        queue.has_brought = true
      end
      redis.call('ZREM', queue.due, id)
    end
  end
end
