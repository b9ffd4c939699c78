-- uses: server_time, list_key, ring, queue_of, bring_due, size_of, open_ledger, write_ledger, take
-- Put a message into a queue with a limit on its length.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset); 3 the queue (list); 4 bell (list);
--       5 due (zset); 6 delayed (hash): see claim.lua
-- ARGV  1 separator; 2 levels; 3 level of the message; 4 the message (an empty text to
--       look at what is there only); 5 most messages (or -1); 6 most bytes of bodies
--       (or -1); 7 whether a full queue refuses (0 or 1); 8 seconds of a lease;
--       9 prefix of tags; 10 ending of an in-flight value; 11 name of the queue
-- Returns whether it was put (0 or 1), and then for each message that must go,
-- which is claimed, 1 and itself.
local now = server_time()
local queue = queue_of(KEYS[3], KEYS[4], KEYS[5], KEYS[6], ARGV[1], ARGV[2])
local message, most, most_bytes = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local refuses = ARGV[7] == '1'
bring_due(queue, now)

-- The length of a message's body, as it is stored.
local function length_of(text)
  local first, last = string.find(text, '^{"body": "[^"\\]*"')
  if first then
    return last - 11
  end
  return #text
end

local function bytes_of_queue()
  local bytes = 0
  for _, list in ipairs(queue.lists) do
    local last = redis.call('LLEN', list) - 1
    for start = 0, last, 100 do
      for _, text in ipairs(redis.call('LRANGE', list, start, start + 99)) do
        bytes = bytes + length_of(text)
      end
    end
  end
  return bytes
end

local size = size_of(queue)
local bytes = most_bytes >= 0 and bytes_of_queue() or 0
if message ~= '' then
  if refuses then
    local is_full = most >= 0 and size >= most
    if is_full or (most_bytes >= 0 and bytes + length_of(message) > most_bytes) then
      return {0}
    end
  end
  redis.call('LPUSH', list_key(KEYS[3], ARGV[1], ARGV[3]), message)
  ring(KEYS[4])
  size = size + 1
  if most_bytes >= 0 then
    bytes = bytes + length_of(message)
  end
end

local reply = {1}
if not refuses then
  local deadline = now / 1000000 + tonumber(ARGV[8])
  local ledger = open_ledger(KEYS[1], KEYS[2], deadline, ARGV[9])
  while size > 0 and ((most >= 0 and size > most) or (most_bytes >= 0 and bytes > most_bytes)) do
    if take(queue, 1, ledger, ARGV[10], ARGV[11], reply) == 0 then
      break
    end
    size = size - 1
    bytes = bytes - length_of(reply[#reply])
  end
  write_ledger(ledger)
end
return reply
