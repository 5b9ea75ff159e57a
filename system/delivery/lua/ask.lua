-- in_doubt: takes the right to ask for the receipt, so that only one worker asks. Called by a worker.
-- Replay-safe: the owner is new for every execution and finds its own live right.
-- ARGV id, owner, time for asking (ms)
local id = ARGV[1]
local v = get(id, 'state', 'asker', 'ask_until', 'fence')
if v[1] ~= 'in_doubt' then return { 'stale', v[1] or 'gone' } end
local taken = v[2] and v[2] ~= '' and tonumber(v[3]) > NOW
if taken and v[2] ~= ARGV[2] then return { 'busy', '' } end
set(id, 'asker', ARGV[2], 'ask_until', NOW + ARGV[3])
redis.call('ZREM', HELD, id)
look_first_at(id, NOW + ARGV[3])
return { 'granted', v[4] }
