"""The bus's steps as Lua, each atomic on the server. All keys are passed in KEYS and share a slot where they have a symbol.

Numbers come back as integers, everything else as text. A refusal is an answer, not an error: what was done before it stands and is told.
"""

from __future__ import annotations

# KEYS, five for each fact: latest, history, ids, rank, fence (or latest again). ARGV, eight for each: id, rank, fact, keeps a history
# (1/0), lifetime in ms (0: for ever), present (1/0), expected revision ('' none), fencing token ('' none).
# The message is always what the key holds: a fact that is older than the newest nudges those who read the history with the newest itself,
# or with nothing where the newest has ended. Hence the last message of a channel is never an old fact.
PUBLISH = """
local function cursor_of(history, ids_score, id)
  local entries = redis.call('XRANGE', history, ids_score, ids_score)
  for _, entry in ipairs(entries) do
    local read, fact = pcall(cjson.decode, entry[2][2])
    if read and type(fact) == 'table' and fact['id'] == id then return entry[1] end
  end
  return ''
end

local function publish(k, a)
  local latest, history, ids, rank, fence = KEYS[k], KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4]
  local id, at, fact, keeps, lifetime, present = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3] == '1', ARGV[a + 4], ARGV[a + 5] == '1'
  local expected, token = ARGV[a + 6], ARGV[a + 7]
  if token ~= '' then
    local standing = redis.call('GET', fence)
    if standing and tonumber(standing) > tonumber(token) then return {-1, 0, standing} end
  end
  if keeps then
    local moment = redis.call('ZSCORE', ids, id)
    if moment then return {0, 0, cursor_of(history, moment, id)} end
  end
  local standing = redis.call('GET', rank)
  local newer = not standing or at > standing
  if expected ~= '' then
    local revision = 0
    if standing and redis.call('EXISTS', latest) == 1 then revision = tonumber(string.sub(standing, 22)) end
    if revision ~= tonumber(expected) then return {-2, 0, string.format('%.0f', revision)} end
    if not newer then return {-3, 0, standing} end
  end
  if not keeps and not newer then return {0, 0, ''} end
  local cursor = ''
  if keeps then
    cursor = redis.call('XADD', history, '*', 'fact', fact)
    redis.call('ZADD', ids, string.match(cursor, '^%d+'), id)
  end
  if not newer then
    redis.call('PUBLISH', latest, redis.call('GET', latest) or '')
    return {1, 0, cursor}
  end
  if lifetime == '0' then
    redis.call('SET', rank, at)
    if present then redis.call('SET', latest, fact) end
  else
    redis.call('SET', rank, at, 'PX', lifetime)
    if present then redis.call('SET', latest, fact, 'PX', lifetime) end
  end
  if not present then redis.call('DEL', latest) end
  redis.call('PUBLISH', latest, fact)
  return {1, 1, cursor}
end

local answers = {}
for i = 0, #KEYS / 5 - 1 do
  local answer = publish(i * 5 + 1, i * 8 + 1)
  answers[i + 1] = answer
  if answer[1] < 0 then break end
end
return answers
"""

# KEYS: cursor. ARGV: the place to move to.
ADVANCE = """
local standing = redis.call('GET', KEYS[1])
if standing then
  local ms, seq = string.match(standing, '^(%d+)-(%d+)$')
  local new_ms, new_seq = string.match(ARGV[1], '^(%d+)-(%d+)$')
  if ms and (tonumber(new_ms) < tonumber(ms) or (tonumber(new_ms) == tonumber(ms) and tonumber(new_seq) <= tonumber(seq))) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""

# KEYS: cursor. ARGV: where to begin.
BEGIN = """
local standing = redis.call('GET', KEYS[1])
if standing then return standing end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
"""

# KEYS: claim, ids of the fact that must not stand (or the claim again). ARGV: value, ms, id ('' none).
CLAIM = """
if ARGV[3] ~= '' and redis.call('ZSCORE', KEYS[2], ARGV[3]) then return 0 end
local holder = redis.call('GET', KEYS[1])
if holder then return holder == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: lease, counter. ARGV: nonce, ms, milliseconds since 1970 by the asker's clock: a counter that lost its last second with a power cut
# would give one token twice.
LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder then
  local token, nonce = string.match(holder, '^(%d+):(.*)$')
  return nonce == ARGV[1] and tonumber(token) or 0
end
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, tonumber(ARGV[3]))
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], text .. ':' .. ARGV[1], 'PX', ARGV[2])
return token
"""

# KEYS: claim or lease. ARGV: value, ms.
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: claim or lease. ARGV: value.
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

# KEYS: fence. ARGV: token. The higher of the two stands afterwards.
RAISE = """
local standing = redis.call('GET', KEYS[1])
if standing and tonumber(standing) >= tonumber(ARGV[1]) then return tonumber(standing) end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
"""

SCRIPTS = (PUBLISH, ADVANCE, BEGIN, CLAIM, LEASE, RENEW, RELEASE, RAISE)
