-- One call counted in, and what is remembered of it; the words and rules are those of gate/memory.py.
-- KEYS: account, cluster, its accounts, family, grant, acted, its accounts, then presented blocks, newest last.
-- ARGV: time, hour, day, account, organization ('0' where unknown), whether there is a cluster, family, grant ('1'),
--       failover_within, cluster_accounts_max, seconds to keep an account, a cluster, a grant.

local time, hour, day, account, organization = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]

local function turns(window, now)  -- remembering.turns; a window that is not there yet turns as well
  return not window or now > tonumber(window) or now < tonumber(window) - 1
end

local first, calls_hour, tokens_hour, calls_day = time, 0, 0, 0
if account ~= '0' then
  local of = redis.call('HMGET', KEYS[1], 'first', 'hour', 'day', 'tokens')
  tokens_hour = tonumber(of[4] or '0')
  if of[1] then
    first = math.min(time, tonumber(of[1]))
  else
    redis.call('HSET', KEYS[1], 'first', ARGV[1])
  end
  if turns(of[2], hour) then
    redis.call('HSET', KEYS[1], 'hour', ARGV[2], 'calls_hour', 0, 'tokens', 0)
    tokens_hour = 0
  end
  if turns(of[3], day) then
    redis.call('HSET', KEYS[1], 'day', ARGV[3], 'calls_day', 0)
  end
  calls_hour = redis.call('HINCRBY', KEYS[1], 'calls_hour', 1)
  calls_day = redis.call('HINCRBY', KEYS[1], 'calls_day', 1)
  redis.call('EXPIRE', KEYS[1], ARGV[11])
end

local cluster_calls, cluster_tokens, cluster_accounts = 0, 0, 0
if ARGV[6] == '1' then
  local of = redis.call('HMGET', KEYS[2], 'hour', 'tokens')
  if turns(of[1], hour) then
    redis.call('HSET', KEYS[2], 'hour', ARGV[2], 'calls', 0, 'tokens', 0)
    redis.call('DEL', KEYS[3])
  else
    cluster_tokens = tonumber(of[2] or '0')
  end
  cluster_calls = redis.call('HINCRBY', KEYS[2], 'calls', 1)
  cluster_accounts = redis.call('SCARD', KEYS[3])
  if cluster_accounts < tonumber(ARGV[10]) then
    cluster_accounts = cluster_accounts + redis.call('SADD', KEYS[3], account)
  end
  redis.call('EXPIRE', KEYS[2], ARGV[12])
  redis.call('EXPIRE', KEYS[3], ARGV[12])
end

local failover = 0
if ARGV[7] == '1' then
  local of = redis.call('HMGET', KEYS[4], 'last', 'last_time', 'before', 'before_time')
  local another, at = of[1], of[2]
  if another == account then
    another, at = of[3], of[4]
  end
  if another and math.abs(time - tonumber(at)) <= tonumber(ARGV[9]) then
    failover = 1
  end
end

local grant_calls, grant_tokens = 0, 0
if ARGV[8] == '1' then
  grant_calls = redis.call('HINCRBY', KEYS[5], 'calls', 1)
  grant_tokens = tonumber(redis.call('HGET', KEYS[5], 'tokens') or '0')
  redis.call('EXPIRE', KEYS[5], ARGV[13])
end

local acted_accounts, acted_verified, acted_already = 0, 0, 0
local of_acted = redis.call('HMGET', KEYS[6], 'hour', 'verified')
if of_acted[1] and not turns(of_acted[1], hour) then
  acted_accounts = redis.call('SCARD', KEYS[7])
  acted_verified = tonumber(of_acted[2] or '0')
  acted_already = redis.call('SISMEMBER', KEYS[7], account)
end

local foreign = 0
if account ~= '0' or organization ~= '0' then
  for at = 8, #KEYS do
    local owner = redis.call('GET', KEYS[at])
    if owner and owner ~= 'nobody' then
      local of, by = string.match(owner, '^(%x+):(%x+)$')
      if not ((of == account and of ~= '0') or (by == organization and by ~= '0')) then
        foreign = 1
        break
      end
    end
  end
end

return {
  first, calls_hour, calls_day, tokens_hour, cluster_calls, cluster_tokens, cluster_accounts, foreign, failover,
  grant_calls, grant_tokens, acted_accounts, acted_verified, acted_already,
}
