-- Whether a queue has ready messages.
local function has_messages(queue)
  for _, list in ipairs(queue.lists) do
    if redis.call('EXISTS', list) == 1 then
      return true
    end
  end
  return false
end
