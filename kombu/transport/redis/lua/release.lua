-- uses: server_time, ring
-- Put messages in flight back to the head of their queues.
--
-- KEYS  1 unacked (hash); 2 unacked_index (zset): see claim.lua
--       then pairs: a list, and the bell (list) of its queue
-- ARGV  1 whether only those are concerned whose deadline has passed (0 or 1), and
--       2 how many seconds ago;
--       then for each message, the last one to be delivered first: tag; number of its
--       pair; its new text, or an empty one; bytes at the end of its value that are
--       not the message
-- Returns how many there were.
local only_before = nil
if ARGV[1] == '1' then
  only_before = server_time() / 1000000 - tonumber(ARGV[2])
end
local count = 0
local touched = {}
for at = 3, #ARGV, 4 do
  local tag, pair, text = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local value = redis.call('HGET', KEYS[1], tag)
  local score = only_before and tonumber(redis.call('ZSCORE', KEYS[2], tag) or '')
  if value and not (only_before and score and score > only_before) then
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
    if text == '' then
      text = string.sub(value, 2, -1 - tonumber(ARGV[at + 3]))
    end
    redis.call('RPUSH', KEYS[1 + pair * 2], text)
    touched[KEYS[2 + pair * 2]] = true
    count = count + 1
  end
end
for bell in pairs(touched) do
  ring(bell)
end
return count
