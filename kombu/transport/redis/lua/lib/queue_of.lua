-- uses: list_key, split
-- A queue, as its part of KEYS and ARGV describes it.
local function queue_of(base, bell, due, delayed, sep, levels)
  local lists = {}
  for place, level in ipairs(split(levels)) do
    lists[place] = list_key(base, sep, level)
  end
  return {base = base, bell = bell, due = due, delayed = delayed, sep = sep, lists = lists}
end
