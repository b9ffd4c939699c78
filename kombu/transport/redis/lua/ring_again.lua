-- uses: ring
-- Ring the bell of a queue that has messages: who has heard it does not claim.
--
-- KEYS  1 bell (list): holds one element while it rings; then the queue's lists
-- Returns whether it has messages (1 or 0).
for place = 2, #KEYS do
  if redis.call('EXISTS', KEYS[place]) == 1 then
    ring(KEYS[1])
    return 1
  end
end
return 0
