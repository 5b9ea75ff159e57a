-- Reads ids of jobs, newest first, that have one of these states and this kind. Called by the API.
-- Looks at no more than `most` jobs, so a page may be short although there is more. Changes nothing.
-- ARGV list (jobs|doubts), cursor id, cursor score ('' both: from the newest), limit, most, states (',a,b,' or ''),
--      kind ('' any), held only (1/0)
local list = ARGV[1] == 'doubts' and DOUBTS or JOBS
local limit, most, states, kind = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local rank = 0
if ARGV[2] ~= '' then
  local at = redis.call('ZREVRANK', list, ARGV[2])
  -- The job that the cursor names may have left the list since.
  rank = at and at + 1 or redis.call('ZCOUNT', list, '(' .. ARGV[3], '+inf')
end
local some = redis.call('ZREVRANGE', list, rank, rank + most - 1, 'WITHSCORES')
local found, last = {}, ''
for n = 1, #some, 2 do
  local id = some[n]
  last = id .. '-' .. string.format('%d', some[n + 1])
  local v = get(id, 'state', 'kind')
  local wanted = v[1] and (states == '' or string.find(states, ',' .. v[1] .. ',', 1, true))
    and (kind == '' or v[2] == kind) and (ARGV[8] ~= '1' or redis.call('ZSCORE', HELD, id))
  if wanted then found[#found + 1] = id end
  if #found == limit then return { n + 2 <= #some and last or (#some == 2 * most and last or ''), found } end
end
return { #some == 2 * most and last or '', found }
