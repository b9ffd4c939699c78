-- uses: server_time, queue_of, bring_due, open_ledger, write_ledger, enter, expires_at
-- Claim what has expired at the head of a queue's lists.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset); 3 the queue (list); 4 bell (list);
--       5 due (zset); 6 delayed (hash): see claim.lua
-- ARGV  1 most messages; 2 seconds of the lease; 3 prefix of the tags; 4 separator;
--       5 levels; 6 ending of an in-flight value; 7 name of the queue
-- Returns the messages.
local limit = tonumber(ARGV[1])
local now = server_time()
local ledger = open_ledger(KEYS[1], KEYS[2], now / 1000000 + tonumber(ARGV[2]), ARGV[3])
local queue = queue_of(KEYS[3], KEYS[4], KEYS[5], KEYS[6], ARGV[4], ARGV[5])
local reply = {}
bring_due(queue, now)
for _, list in ipairs(queue.lists) do
  while ledger.count < limit do
    local message = redis.call('LINDEX', list, -1)
    local moment = message and expires_at(message)
    if not moment or moment > now / 1000 then
      break
    end
    redis.call('RPOP', list)
    enter(ledger, message, ARGV[6], ARGV[7])
    reply[#reply + 1] = message
  end
end
write_ledger(ledger)
return reply
