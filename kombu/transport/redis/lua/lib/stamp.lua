-- What differs whenever the bindings that old peers see have changed.
local function stamp(bindings)
  local count = redis.call('SCARD', bindings)
  if count == 0 or count > 16 then
    return tostring(count)
  end
  local rows = redis.call('SMEMBERS', bindings)
  if count == 1 then
    return '1:' .. rows[1]
  end
  table.sort(rows)
  return count .. ':' .. redis.sha1hex(table.concat(rows, '\n'))
end
