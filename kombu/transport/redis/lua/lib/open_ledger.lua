-- A ledger of messages that are taken in one script, and written at its end.
local function open_ledger(unacked, index, deadline, prefix)
  return {
    unacked = unacked, index = index, prefix = prefix, count = 0,
    deadline = string.format('%.6f', deadline), values = {}, scores = {},
  }
end
