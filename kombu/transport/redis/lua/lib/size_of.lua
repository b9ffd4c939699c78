local function size_of(queue)
  local size = 0
  for _, list in ipairs(queue.lists) do
    size = size + redis.call('LLEN', list)
  end
  return size
end
