-- anything but an end -> done. Called by a worker that has carried out a job which is no mail.
-- True evidence, from any token: the work may be done twice after a lost lease, but its effect is the same.
-- Replay-safe: finds `done`.
-- ARGV id, fence, result (JSON), worker, meta, meta ttl (s)
local id = ARGV[1]
local state = get(id, 'state')[1]
if not state then return { 'gone', '' } end
if TERMINAL[state] then return { state == 'done' and 'done' or 'stale', state } end
finish(id, state, 'done', { result = ARGV[3], meta = ARGV[5], meta_ttl_s = ARGV[6] })
note(id, 'done', ARGV[2], ARGV[4], '')
return { 'done', '' }
