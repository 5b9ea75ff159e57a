-- leased -> leased, for longer. Called by the lease's holder while the receiver is slow before its 354.
-- Replay-safe: doing it twice only sets the same end a little later; nothing irrevocable has begun.
-- ARGV id, fence, lease (ms)
local id = ARGV[1]
local v = get(id, 'state', 'fence', 'until')
if v[1] ~= 'leased' or v[2] ~= ARGV[2] or tonumber(v[3]) <= NOW then return { 'stale', v[1] or 'gone' } end
set(id, 'until', NOW + ARGV[3])
look_first_at(id, NOW + ARGV[3])
return { 'ok', '' }
