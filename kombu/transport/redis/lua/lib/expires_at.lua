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
