-- leased -> sending, and the lease starts anew. Called by the holder after the 354, before the body.
-- From here on a silent end is a doubt. Stale means: close the connection without the dot.
-- Replay-safe: the same token finds `sending`; the lease is not prolonged a second time.
-- ARGV id, fence, lease (ms), worker
local id = ARGV[1]
local v = get(id, 'state', 'fence', 'until')
if v[2] ~= ARGV[2] or tonumber(v[3] or 0) <= NOW then return { 'stale', v[1] or 'gone' } end
if v[1] == 'sending' then return { 'ok', '' } end
if v[1] ~= 'leased' then return { 'stale', v[1] } end
move(id, 'leased', 'sending', 'until', NOW + ARGV[3])
look_first_at(id, NOW + ARGV[3])
note(id, 'sending', ARGV[2], ARGV[4], '')
return { 'ok', '' }
