-- queued, retry, leased -> cancelled. Called by the API.
-- A leased mail may be cancelled: its worker has not said `sending`, and will be told that it is stale. A mail that
-- was sent again in doubt may be stored already, and a job of another kind that was begun may have had its effect.
-- Replay-safe: finds `cancelled`.
-- ARGV id, meta, meta ttl (s)
local id = ARGV[1]
local v = get(id, 'state', 'kind', 'fence', 'maybe_stored')
local state, begun = v[1], tonumber(v[3] or 0) > 0
if not state then return { 'gone', '' } end
if state == 'cancelled' then return { 'cancelled', '' } end
if TERMINAL[state] then return { 'late', 'it has ended: ' .. state } end
if state == 'sending' or state == 'in_doubt' or v[4] == '1' then
  return { 'late', 'the mail has been handed over, or may have been' }
end
if v[2] ~= 'email' and begun then return { 'late', 'it has begun' } end
finish(id, state, 'cancelled', { meta = ARGV[2], meta_ttl_s = ARGV[3] })
note(id, 'cancelled', v[3], '', '')
return { 'cancelled', '' }
