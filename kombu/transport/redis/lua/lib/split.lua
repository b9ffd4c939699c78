-- Split '0,3,6,9' into a table of texts.
local function split(levels)
  local found = {}
  for level in string.gmatch(levels, '[^,]+') do
    found[#found + 1] = level
  end
  return found
end
