-- The key of a queue's list for one level of priority.
local function list_key(base, sep, level)
  if level == '0' then
    return base
  end
  return base .. sep .. level
end
