-- uses: server_time, ring, queue_of, bring_due, has_messages, open_ledger, write_ledger, take
-- Move ready messages of some queues into the in-flight record.
--
-- KEYS  1            unacked        hash    tag -> [message, "", "queue"]
--       2            unacked_index  zset    tag, by the deadline of its lease (seconds)
--       3            version        string  of the topology
--       then for each queue
--         +0         its name       list    ready messages, the next one at the right
--         +1         bell           list    holds one element while it rings
--         +2         due            zset    ids of resting messages, by when they are due (ms)
--         +3         delayed        hash    id -> level:message
-- ARGV  1 most messages; 2 prefix of the tags; 3 version that the consumer knows, or *
--       for any; 4 seconds of the lease; 5 separator;
--       then for each queue: its levels; the ending of an in-flight value; its name
-- Returns the version, the time (microseconds), when the next message is due (ms, or
-- an empty text), and then for each message the number of its queue, and itself.
-- If the version is another one, nothing is claimed: who is to be served, and in
-- which order, may have changed.
local limit = tonumber(ARGV[1])
local now = server_time()
local ledger = open_ledger(KEYS[1], KEYS[2], now / 1000000 + tonumber(ARGV[4]), ARGV[2])
local reply = {redis.call('GET', KEYS[3]) or '', string.format('%.0f', now), ''}
if ARGV[3] ~= '*' and ARGV[3] ~= reply[1] then
  return reply
end
local queues = {}
local next_due = nil
for number = 1, (#KEYS - 3) / 4 do
  local at = number * 4
  local given = 3 + number * 3
  local queue = queue_of(KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], ARGV[5], ARGV[given])
  queue.ending = ARGV[given + 1]
  queue.name = ARGV[given + 2]
  local due = bring_due(queue, now)
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then
    next_due = due
  end
  queues[number] = queue
end
reply[3] = next_due or ''

-- First each queue gets its share, then those that have more.
local share = math.max(math.floor(limit / #queues), 1)
for round = 1, 2 do
  for number, queue in ipairs(queues) do
    local want = math.min(round == 1 and share or limit, limit - ledger.count)
    if want > 0 and not queue.is_empty then
      local taken = take(queue, want, ledger, queue.ending, queue.name, number, reply)
      queue.is_empty = taken < want
    end
  end
end
write_ledger(ledger)

-- Whoever waits next is woken for what is left.
for _, queue in ipairs(queues) do
  if not queue.is_empty and has_messages(queue) then
    ring(queue.bell)
  else
    redis.call('DEL', queue.bell)
  end
end
return reply
