-- uses: enter
-- Take up to a number of messages from a queue.
-- Each is entered into the ledger and appended to the reply.
-- Returns how many there were.
local function take(queue, want, ledger, ending, name, reply)
  local taken = 0
  for _, list in ipairs(queue.lists) do
    while taken < want do
      local message = redis.call('RPOP', list)
      if not message then
        break
      end
      taken = taken + 1
      enter(ledger, message, ending, name)
      reply[#reply + 1] = message
    end
  end
  return taken
end
