local function write_ledger(ledger)
  if #ledger.values > 0 then
    redis.call('HSET', ledger.unacked, unpack(ledger.values))
    redis.call('ZADD', ledger.index, unpack(ledger.scores))
    ledger.values = {}
    ledger.scores = {}
  end
end
