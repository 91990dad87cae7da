-- What became of a call; the words and rules are those of gate/memory.py.
-- KEYS: account, cluster, family, grant, acted, its accounts, then issued blocks, newest last.
-- ARGV: one string of time, hour, account, organization ('0' where unknown), whether it was acted on, is verified, was
--       refused with a signature ('1'), and output and input tokens.
-- %NAME% stands for a constant of gate/shared_state.py.

local time, hour, account, organization, acted, verified, refused, tokens, input =
  string.match(ARGV[1], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')

if acted == '1' then
  local window, this = tonumber(redis.call('HGET', KEYS[5], 'hour') or nil), tonumber(hour)
  if not window or this > window or this < window - 1 then  -- remembering.turns
    redis.call('HSET', KEYS[5], 'hour', hour, 'verified', 0)
    redis.call('DEL', KEYS[6])
  end
  if redis.call('SCARD', KEYS[6]) < %ACTED_ACCOUNTS_MAX% and redis.call('SADD', KEYS[6], account) == 1 then
    redis.call('HINCRBY', KEYS[5], 'verified', verified)
  end
  redis.call('EXPIRE', KEYS[5], %CLUSTER_KEPT_S%)
  redis.call('EXPIRE', KEYS[6], %CLUSTER_KEPT_S%)
end

if refused == '1' then
  local of = redis.call('HMGET', KEYS[3], 'last', 'last_time')
  if of[1] and of[1] ~= account then
    redis.call('HSET', KEYS[3], 'before', of[1], 'before_time', of[2])
  end
  redis.call('HSET', KEYS[3], 'last', account, 'last_time', time)
  redis.call('EXPIRE', KEYS[3], %FAMILY_KEPT_S%)
end

for name, count in pairs({tokens = tonumber(tokens), input = tonumber(input)}) do
  for _, key in ipairs({KEYS[1], KEYS[2], KEYS[4]}) do  -- added to what is counted already, and to nothing else
    if count > 0 and redis.call('EXISTS', key) == 1 then
      redis.call('HINCRBY', key, name, count)
    end
  end
end

if account ~= '0' or organization ~= '0' then
  for at = 7, #KEYS do
    local owner = redis.call('GET', KEYS[at])
    if not owner then
      redis.call('SET', KEYS[at], account .. ':' .. organization, 'EX', %BLOCK_KEPT_S%)
    elseif owner ~= 'nobody' then
      local of, by = string.match(owner, '^(%x+):(%x+)$')
      if not ((of == account and of ~= '0') or (by == organization and by ~= '0')) then
        redis.call('SET', KEYS[at], 'nobody', 'EX', %BLOCK_KEPT_S%)
      end
    end
  end
end

return 'kept'
