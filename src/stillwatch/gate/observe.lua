-- One call counted in, and what is remembered of it; the words and rules are those of gate/memory.py.
-- KEYS: account, acted, its accounts; where there is a campaign its cluster and the cluster's accounts; where there is a
--       signature its family; where there is a grant the grant; then the presented blocks, newest last.
-- ARGV: one string of time, hour, day, account, organization ('0' where unknown), and whether there is a campaign, a
--       signature, a grant ('1'). One string, and one in reply: a client spends more on every part than the server.
-- %NAME% stands for a constant of gate/shared_state.py.

local time, hour, day, account, organization, clustered, signed, granted =
  string.match(ARGV[1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
local now = tonumber(time)
local at = 3  -- the last key that was taken

local function take()
  at = at + 1
  return KEYS[at]
end

local function turns(window, this)  -- remembering.turns; a window that is not there yet turns as well
  return not window or tonumber(this) > tonumber(window) or tonumber(this) < tonumber(window) - 1
end

local first, calls_hour, tokens_hour, input_hour, calls_day = time, 0, 0, 0, 0
if account ~= '0' then
  local of = redis.call('HMGET', KEYS[1], 'first', 'hour', 'day', 'tokens', 'calls_hour', 'calls_day', 'input')
  calls_hour, calls_day, tokens_hour, input_hour = (of[5] or 0) + 1, (of[6] or 0) + 1, of[4] or 0, of[7] or 0
  first = of[1] or time
  if turns(of[2], hour) then
    of[2], calls_hour, tokens_hour, input_hour = hour, 1, 0, 0
  end
  if turns(of[3], day) then
    of[3], calls_day = day, 1
  end
  redis.call(
    'HSET', KEYS[1], 'first', first, 'hour', of[2], 'day', of[3], 'tokens', tokens_hour,
    'calls_hour', calls_hour, 'calls_day', calls_day, 'input', input_hour
  )
  redis.call('EXPIRE', KEYS[1], %ACCOUNT_KEPT_S%)
  if tonumber(first) > now then
    first = time
  end
end

local cluster_calls, cluster_tokens, cluster_input, cluster_accounts = 0, 0, 0, 0
if clustered == '1' then
  local cluster, accounts = take(), take()
  local of = redis.call('HMGET', cluster, 'hour', 'tokens', 'input')
  if turns(of[1], hour) then
    redis.call('HSET', cluster, 'hour', hour, 'calls', 0, 'tokens', 0, 'input', 0)
    redis.call('DEL', accounts)
  else
    cluster_tokens, cluster_input = of[2], of[3]
  end
  cluster_calls = redis.call('HINCRBY', cluster, 'calls', 1)
  cluster_accounts = redis.call('SCARD', accounts)
  if cluster_accounts < %CLUSTER_ACCOUNTS_MAX% then
    cluster_accounts = cluster_accounts + redis.call('SADD', accounts, account)
  end
  redis.call('EXPIRE', cluster, %CLUSTER_KEPT_S%)
  redis.call('EXPIRE', accounts, %CLUSTER_KEPT_S%)
end

local failover = 0
if signed == '1' then
  local of = redis.call('HMGET', take(), 'last', 'last_time', 'before', 'before_time')
  local another, since = of[1], of[2]
  if another == account then
    another, since = of[3], of[4]
  end
  if another and math.abs(now - tonumber(since)) <= %FAILOVER_WITHIN_US% then
    failover = 1
  end
end

local grant_calls, grant_tokens = 0, 0
if granted == '1' then
  local grant = take()
  grant_calls = redis.call('HINCRBY', grant, 'calls', 1)
  grant_tokens = redis.call('HGET', grant, 'tokens') or 0
  redis.call('EXPIRE', grant, %GRANT_KEPT_S%)
end

local acted_accounts, acted_verified, acted_already = 0, 0, 0
local acted = redis.call('HMGET', KEYS[2], 'hour', 'verified')
if acted[1] and not turns(acted[1], hour) then
  acted_accounts = redis.call('SCARD', KEYS[3])
  acted_verified = acted[2]
  acted_already = redis.call('SISMEMBER', KEYS[3], account)
end

local foreign = 0
if account ~= '0' or organization ~= '0' then
  for block = at + 1, #KEYS do
    local owner = redis.call('GET', KEYS[block])
    if owner and owner ~= 'nobody' then
      local of, by = string.match(owner, '^(%x+):(%x+)$')
      if not ((of == account and of ~= '0') or (by == organization and by ~= '0')) then
        foreign = 1
        break
      end
    end
  end
end

return table.concat({
  first, calls_hour, calls_day, tokens_hour, cluster_calls, cluster_tokens, cluster_accounts, foreign, failover,
  grant_calls, grant_tokens, acted_accounts, acted_verified, acted_already, input_hour, cluster_input,
}, ' ')
