-- What became of a call; the words and rules are those of gate/memory.py.
-- KEYS: account, cluster, family, grant, acted, its accounts, then issued blocks, newest last.
-- ARGV: time, hour, account, organization ('0' where unknown), whether it was acted on, is verified, was refused with a
--       signature ('1'), output tokens, acted_accounts_max, seconds to keep a family, acted accounts, a block.

local hour, account, organization, tokens = tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[8])

if ARGV[5] == '1' then
  local window = tonumber(redis.call('HGET', KEYS[5], 'hour'))
  if not window or hour > window or hour < window - 1 then  -- remembering.turns
    redis.call('HSET', KEYS[5], 'hour', ARGV[2], 'verified', 0)
    redis.call('DEL', KEYS[6])
  end
  if redis.call('SCARD', KEYS[6]) < tonumber(ARGV[9]) and redis.call('SADD', KEYS[6], account) == 1 then
    redis.call('HINCRBY', KEYS[5], 'verified', ARGV[6])
  end
  redis.call('EXPIRE', KEYS[5], ARGV[11])
  redis.call('EXPIRE', KEYS[6], ARGV[11])
end

if ARGV[7] == '1' then
  local of = redis.call('HMGET', KEYS[3], 'last', 'last_time')
  if of[1] and of[1] ~= account then
    redis.call('HSET', KEYS[3], 'before', of[1], 'before_time', of[2])
  end
  redis.call('HSET', KEYS[3], 'last', account, 'last_time', ARGV[1])
  redis.call('EXPIRE', KEYS[3], ARGV[10])
end

if tokens > 0 then
  for at = 1, 4 do
    -- Tokens are added to what is counted already: to the account, its cluster and its grant.
    if at ~= 3 and redis.call('EXISTS', KEYS[at]) == 1 then
      redis.call('HINCRBY', KEYS[at], 'tokens', ARGV[8])
    end
  end
end

if account ~= '0' or organization ~= '0' then
  for at = 7, #KEYS do
    local owner = redis.call('GET', KEYS[at])
    if not owner then
      redis.call('SET', KEYS[at], account .. ':' .. organization, 'EX', ARGV[12])
    elseif owner ~= 'nobody' then
      local of, by = string.match(owner, '^(%x+):(%x+)$')
      if not ((of == account and of ~= '0') or (by == organization and by ~= '0')) then
        redis.call('SET', KEYS[at], 'nobody', 'EX', ARGV[12])
      end
    end
  end
end

return {}
