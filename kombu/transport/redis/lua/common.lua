-- Functions that the other scripts share; each of them begins with this text, after
-- a line that says whether rings_by_channel.

-- Microseconds since 1970, by the server's clock.
local function server_time()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- The key of a queue's list for one level of priority.
local function list_key(base, sep, level)
  if level == '0' then
    return base
  end
  return base .. sep .. level
end

-- Split '0,3,6,9' into a table of texts.
local function split(levels)
  local found = {}
  for level in string.gmatch(levels, '[^,]+') do
    found[#found + 1] = level
  end
  return found
end

-- Wake one of those who wait for a queue, unless that is under way.
-- In a cluster nobody can wait for lists of several nodes: there, all are woken.
local function ring(bell)
  if rings_by_channel then
    redis.call('PUBLISH', bell, '1')
  elseif redis.call('EXISTS', bell) == 0 then
    redis.call('RPUSH', bell, '1')
    redis.call('EXPIRE', bell, 60)
  end
end

-- What differs whenever the bindings that old peers see have changed.
local function stamp(bindings)
  local count = redis.call('SCARD', bindings)
  if count == 0 or count > 16 then
    return tostring(count)
  end
  local rows = redis.call('SMEMBERS', bindings)
  table.sort(rows)
  return count .. ':' .. redis.sha1hex(table.concat(rows, '\n'))
end

-- A queue, as its part of KEYS and ARGV describes it.
local function queue_of(base, bell, due, delayed, sep, levels)
  local lists = {}
  for place, level in ipairs(split(levels)) do
    lists[place] = list_key(base, sep, level)
  end
  return {base = base, bell = bell, due = due, delayed = delayed, sep = sep, lists = lists}
end

-- Make the messages ready that rest in a queue, and are due.
-- Returns when the next one is, in milliseconds; false if there is none.
local function bring_due(queue, now)
  while true do
    local first = redis.call('ZRANGE', queue.due, 0, 0, 'WITHSCORES')
    if not first[1] then
      return false
    end
    if tonumber(first[2]) > now / 1000 then
      return first[2]
    end
    local limit = string.format('%.3f', now / 1000)
    local ids = redis.call('ZRANGEBYSCORE', queue.due, '-inf', limit, 'LIMIT', 0, 200)
    for _, id in ipairs(ids) do
      local entry = redis.call('HGET', queue.delayed, id)
      if entry then
        local colon = string.find(entry, ':', 1, true)
        local list = list_key(queue.base, queue.sep, string.sub(entry, 1, colon - 1))
        redis.call('LPUSH', list, string.sub(entry, colon + 1))
        redis.call('HDEL', queue.delayed, id)
      end
      redis.call('ZREM', queue.due, id)
    end
  end
end

local function size_of(queue)
  local size = 0
  for _, list in ipairs(queue.lists) do
    size = size + redis.call('LLEN', list)
  end
  return size
end

-- A ledger of messages that are taken in one script, and written at its end.
local function open_ledger(unacked, index, deadline, prefix)
  return {
    unacked = unacked, index = index, prefix = prefix, count = 0,
    deadline = string.format('%.6f', deadline), values = {}, scores = {},
  }
end

local function write_ledger(ledger)
  if #ledger.values > 0 then
    redis.call('HSET', ledger.unacked, unpack(ledger.values))
    redis.call('ZADD', ledger.index, unpack(ledger.scores))
    ledger.values = {}
    ledger.scores = {}
  end
end

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

-- Take up to a number of messages from a queue.
-- Each is entered into the ledger and appended to the reply, after a label.
-- Returns how many there were.
local function take(queue, want, ledger, ending, name, label, reply)
  local taken = 0
  for _, list in ipairs(queue.lists) do
    while taken < want do
      local message = redis.call('RPOP', list)
      if not message then
        break
      end
      taken = taken + 1
      enter(ledger, message, ending, name)
      reply[#reply + 1] = label
      reply[#reply + 1] = message
    end
  end
  return taken
end

-- When a message expires, in milliseconds; nil if it does not.
local function expires_at(message)
  if not string.find(message, '"x-expires-at"', 1, true) then
    return nil
  end
  local ok, envelope = pcall(cjson.decode, message)
  if not ok or type(envelope) ~= 'table' or type(envelope.properties) ~= 'table' then
    return nil
  end
  local moment = envelope.properties['x-expires-at']
  if type(moment) ~= 'number' then
    return nil
  end
  return moment
end
