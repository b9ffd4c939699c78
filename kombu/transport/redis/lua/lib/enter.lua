-- uses: write_ledger
-- Enter one message that was taken from a queue.
local function enter(ledger, message, ending, name)
  ledger.count = ledger.count + 1
  local tag = string.format('%s:%05d:%s', ledger.prefix, ledger.count, name)
  local values, scores = ledger.values, ledger.scores
  values[#values + 1] = tag
  values[#values + 1] = '[' .. message .. ending
  scores[#scores + 1] = ledger.deadline
  scores[#scores + 1] = tag
  if #values >= 400 then
    write_ledger(ledger)
  end
end
