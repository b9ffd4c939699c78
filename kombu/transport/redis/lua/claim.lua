-- uses: ring, list_key, bring_due
-- Move ready messages of some queues into the in-flight record.
--
-- KEYS  1            unacked        hash    tag -> [message, "", "queue"]
--       2            unacked_index  zset    tag, by the deadline of its lease (seconds)
--       3            version        string  of the topology
--       then for each queue
--         +0         its name       list    messages of level 0
--         +1         bell           list    holds one element while it rings
--         +2         due            zset    ids of resting messages, by when they are due (ms)
--         +3         delayed        hash    id -> level:message
--         +4 ...     ready messages lists   in the order of service, the next one at the right
-- ARGV  1 most messages; 2 prefix of the tags; 3 version that the consumer knows, or *
--       for any; 4 whether the consumer has taken the element of a bell (1 or 0);
--       5 seconds of the lease; 6 separator;
--       then for each queue (7 8 9 of the first): how many lists; the ending of an
--       in-flight value; its name
-- Returns a text, and then the messages.  The text has five parts, with semicolons
-- between them: the version; the time (microseconds); when the next message is due (ms,
-- or nothing); 1 if messages are left, 0 if not, nothing if that is not known; and the
-- queues of the messages, as number:count with commas between them.
-- If the version is another one, nothing is claimed: who is to be served, and in
-- which order, may have changed.
-- It runs for each message where a consumer takes one at a time: hence no helpers here.
local call, format = redis.call, string.format
local time = call('TIME')
local now = time[1] .. format('%06d', time[2])
local version = call('GET', KEYS[3]) or ''
if ARGV[3] ~= '*' and ARGV[3] ~= version then
  return {version .. ';' .. now .. ';;;'}
end

local limit, prefix = tonumber(ARGV[1]), ARGV[2]
local deadline = time[1] + time[2] / 1000000 + ARGV[5]

-- Servers that tell their release can pop several at once (6.2 can, and does not tell).
local pops_many = redis.REDIS_VERSION_NUM ~= nil

-- As a rule there is one queue, with messages of one level.
if #ARGV == 9 and pops_many and call('EXISTS', KEYS[6], unpack(KEYS, 9)) == 0 then
  local messages = call('RPOP', KEYS[8], limit) or {}
  local taken, left = #messages, '0'
  if taken == 1 then
    local tag = prefix .. ':00001:' .. ARGV[9]
    call('HSET', KEYS[1], tag, '[' .. messages[1] .. ARGV[8])
    call('ZADD', KEYS[2], deadline, tag)
  elseif taken > 1 then
    local values, scores = {}, {}
    for place = 1, taken do
      local tag = prefix .. format(':%05d:', place) .. ARGV[9]
      values[2 * place - 1], values[2 * place] = tag, '[' .. messages[place] .. ARGV[8]
      scores[2 * place - 1], scores[2 * place] = deadline, tag
    end
    call('HSET', KEYS[1], unpack(values))
    call('ZADD', KEYS[2], unpack(scores))
  end
  if taken < limit then
    call('DEL', KEYS[5])
  elseif ARGV[4] == '0' then
    left = ''
  elseif call('EXISTS', KEYS[8]) == 1 then
    left = '1'
    ring(KEYS[5])
  end
  local counts = taken > 0 and ';1:' .. taken or ';'
  return {version .. ';' .. now .. ';;' .. left .. counts, unpack(messages)}
end

local reply, values, scores, count = {''}, {}, {}, 0

local function enter_all()
  call('HSET', KEYS[1], unpack(values))
  call('ZADD', KEYS[2], unpack(scores))
  values, scores = {}, {}
end

local function pop(list, want)
  if pops_many then
    return call('RPOP', list, want) or {}
  end
  return {call('RPOP', list) or nil}
end

local function take(queue, want)
  local taken, size = 0, #values
  local ending = queue.ending
  local middle, name = prefix .. ':', ':' .. queue.name
  for place = queue.first, queue.last do
    local messages
    repeat
      messages = taken < want and pop(KEYS[place], want - taken) or {}
      for _, message in ipairs(messages) do
        taken = taken + 1
        local tag = middle .. format('%05d', count + taken) .. name
        values[size + 1], values[size + 2] = tag, '[' .. message .. ending
        scores[size + 1], scores[size + 2] = deadline, tag
        size = size + 2
        reply[count + taken + 1] = message
        if size >= 400 then
          enter_all()
          size = 0
        end
      end
    until pops_many or #messages == 0
  end
  count = count + taken
  queue.is_empty = taken < want
  return taken
end

local queues, next_due, at, given = {}, nil, 4, 7
while KEYS[at] do
  local last = at + 3 + ARGV[given]
  local queue = {
    base = KEYS[at], bell = KEYS[at + 1], due = KEYS[at + 2], delayed = KEYS[at + 3], sep = ARGV[6],
    first = at + 4, last = last, ending = ARGV[given + 1], name = ARGV[given + 2],
  }
  local due = bring_due(queue, now)
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then
    next_due = due
  end
  queues[#queues + 1] = queue
  at, given = last + 1, given + 3
end

-- First each queue gets its share, then those that have more.
local counts = {}
local share = math.max(math.floor(limit / #queues), 1)
for round = 1, 2 do
  for number, queue in ipairs(queues) do
    local want = math.min(round == 1 and share or limit, limit - count)
    if want > 0 and not queue.is_empty then
      local taken = take(queue, want)
      if taken > 0 then
        counts[#counts + 1] = number .. ':' .. taken
      end
    end
  end
end
if #values > 0 then
  enter_all()
end

-- Whoever waits next is woken for what is left, unless the bell rings as it did before.
local left = '0'
for _, queue in ipairs(queues) do
  if queue.is_empty then
    call('DEL', queue.bell)
  elseif ARGV[4] == '1' or queue.has_brought then
    if call('EXISTS', unpack(KEYS, queue.first, queue.last)) > 0 then
      left = '1'
      ring(queue.bell)
    end
  elseif left == '0' then
    left = ''
  end
end
reply[1] = table.concat({version, now, next_due or '', left, table.concat(counts, ',')}, ';')
return reply
