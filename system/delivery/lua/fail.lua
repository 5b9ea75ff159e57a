-- leased, sending -> failed (in_doubt and held, when an earlier copy may be stored). Called by the holder with a
-- complete 5xx for this sender, recipient or body, or with the failure of a job that is no mail.
-- Negative outcomes count only from the current token.
-- Replay-safe: the same token finds `failed`.
-- ARGV id, fence, error, worker, meta, meta ttl (s)
local id = ARGV[1]
local v = get(id, 'state', 'fence', 'maybe_stored', 'refused')
if v[2] ~= ARGV[2] then return { 'stale', v[1] or 'gone' } end
if v[1] == 'in_doubt' and v[4] == v[2] then return { 'in_doubt', 'held' } end
if v[1] == 'failed' then return { 'failed', '' } end
if v[1] ~= 'leased' and v[1] ~= 'sending' then return { 'stale', v[1] } end
if v[3] == '1' then return hold_refused(id, v[1], v[2], ARGV[4], ARGV[3]) end
finish(id, v[1], 'failed', { error = ARGV[3], meta = ARGV[5], meta_ttl_s = ARGV[6] })
note(id, 'failed', v[2], ARGV[4], ARGV[3])
return { 'failed', '' }
