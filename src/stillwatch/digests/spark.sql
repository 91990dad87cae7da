-- Made from digests/statements.py by tools/transpile.py: change the statements there, not here.

-- REPEATED_EVENTS
SELECT
  event_key
FROM traces
WHERE
  event_key % {parts} = {part}
GROUP BY
  event_key
HAVING
  COUNT(*) > 1

-- KEPT_EVENTS
SELECT
  event_key,
  account_key,
  organization_key,
  credential_key,
  end_user_key,
  session_key,
  path_key,
  ip_key,
  tls_key,
  agent_key,
  model_key,
  tools_key,
  asn,
  time_us,
  item_key,
  topic,
  phrases,
  words,
  turn_index,
  choice_count,
  max_tokens,
  input_tokens,
  output_tokens,
  reasoning_tokens,
  status,
  temperature_milli,
  weight_milli,
  flags,
  source,
  shingles
FROM traces
ANTI JOIN repeated
  USING (event_key)
WHERE
  event_key % {parts} = {part}
UNION ALL
SELECT
  event_key,
  account_key,
  organization_key,
  credential_key,
  end_user_key,
  session_key,
  path_key,
  ip_key,
  tls_key,
  agent_key,
  model_key,
  tools_key,
  asn,
  time_us,
  item_key,
  topic,
  phrases,
  words,
  turn_index,
  choice_count,
  max_tokens,
  input_tokens,
  output_tokens,
  reasoning_tokens,
  status,
  temperature_milli,
  weight_milli,
  flags,
  source,
  shingles
FROM (
  SELECT
    event_key,
    account_key,
    organization_key,
    credential_key,
    end_user_key,
    session_key,
    path_key,
    ip_key,
    tls_key,
    agent_key,
    model_key,
    tools_key,
    asn,
    time_us,
    item_key,
    topic,
    phrases,
    words,
    turn_index,
    choice_count,
    max_tokens,
    input_tokens,
    output_tokens,
    reasoning_tokens,
    status,
    temperature_milli,
    weight_milli,
    flags,
    source,
    shingles,
    ROW_NUMBER() OVER (
      PARTITION BY event_key
      ORDER BY (
        account_key ^ -9223372036854775808
      ) NULLS LAST, (
        organization_key ^ -9223372036854775808
      ) NULLS LAST, (
        credential_key ^ -9223372036854775808
      ) NULLS LAST, (
        end_user_key ^ -9223372036854775808
      ) NULLS LAST, (
        session_key ^ -9223372036854775808
      ) NULLS LAST, (
        path_key ^ -9223372036854775808
      ) NULLS LAST, (
        ip_key ^ -9223372036854775808
      ) NULLS LAST, (
        tls_key ^ -9223372036854775808
      ) NULLS LAST, (
        agent_key ^ -9223372036854775808
      ) NULLS LAST, (
        model_key ^ -9223372036854775808
      ) NULLS LAST, (
        tools_key ^ -9223372036854775808
      ) NULLS LAST, asn NULLS LAST, time_us NULLS LAST, (
        item_key ^ -9223372036854775808
      ) NULLS LAST, (
        topic ^ -9223372036854775808
      ) NULLS LAST, phrases NULLS LAST, words NULLS LAST, turn_index NULLS LAST, choice_count NULLS LAST, max_tokens NULLS LAST, input_tokens NULLS LAST, output_tokens NULLS LAST, reasoning_tokens NULLS LAST, status NULLS LAST, temperature_milli NULLS LAST, weight_milli NULLS LAST, flags NULLS LAST, shingles NULLS LAST, source NULLS LAST
    ) AS _w
  FROM traces
  SEMI JOIN repeated
    USING (event_key)
  WHERE
    event_key % {parts} = {part}
) AS _t
WHERE
  _w = 1

-- LOG_FACTS
SELECT
  SUM(calls) AS events,
  COUNT(*) AS accounts,
  MIN(first_us) AS first_us,
  MAX(last_us) AS last_us
FROM (
  SELECT
    COUNT(*) AS calls,
    MIN(time_us) AS first_us,
    MAX(time_us) AS last_us
  FROM traces
  GROUP BY
    account_key
)

-- LOG_LOSSES
SELECT
  SUM(CASE WHEN flags & 64 > 0 THEN 1 ELSE 0 END) AS sampled,
  SUM(CASE WHEN flags & 128 > 0 THEN 1 ELSE 0 END) AS truncated,
  SUM(CASE WHEN flags & 256 > 0 THEN 1 ELSE 0 END) AS masked
FROM traces

-- BLOCK_CALLS
SELECT
  time_us DIV {block_us} AS block,
  COUNT(*) AS calls
FROM traces
GROUP BY
  block
ORDER BY
  block NULLS LAST

-- ACCOUNT_ROWS
SELECT
  *
FROM (
  SELECT
    *
    EXCEPT (facts),
    ROW_NUMBER() OVER (
      PARTITION BY account_key
      ORDER BY facts DESC, (
        organization_key ^ -9223372036854775808
      ) DESC, (
        email_domain ^ -9223372036854775808
      ) DESC, (
        email_digest ^ -9223372036854775808
      ) DESC, (
        phone_digest ^ -9223372036854775808
      ) DESC, (
        payment_digest ^ -9223372036854775808
      ) DESC, (
        signup_ip ^ -9223372036854775808
      ) DESC, (
        signup_tls_fingerprint ^ -9223372036854775808
      ) DESC, created_us DESC, closed_us DESC, programme DESC, declared_use DESC, plan DESC, verification DESC, banned DESC, reseller DESC
    ) AS _w
  FROM given_accounts
) AS _t
WHERE
  _w = 1

-- ACCOUNT_CALLS
SELECT
  account_key,
  COUNT(*) AS calls,
  (
    MAX((
      organization_key ^ -9223372036854775808
    )) ^ -9223372036854775808
  ) AS organization_key
FROM traces
GROUP BY
  account_key

-- ACCOUNT_FACTS
SELECT
  *,
  CASE WHEN organization_key = 0 THEN account_key ELSE organization_key END AS owner_key
FROM (
  SELECT
    c.account_key,
    c.calls,
    CASE
      WHEN c.organization_key = 0
      THEN COALESCE(a.organization_key, 0)
      ELSE c.organization_key
    END AS organization_key,
    COALESCE(a.created_us, -1) AS created_us,
    COALESCE(a.closed_us, -1) AS closed_us,
    COALESCE(a.banned, 0) AS banned,
    COALESCE(a.reseller, 0) AS reseller,
    COALESCE(a.programme, 0) AS programme,
    COALESCE(a.declared_use, 0) AS declared_use,
    COALESCE(a.plan, 0) AS plan,
    COALESCE(a.verification, 0) AS verification
  FROM account_calls AS c
  LEFT JOIN account_rows AS a
    USING (account_key)
)

-- ACCOUNT_VARIETY
SELECT
  account_key,
  SUM(CASE WHEN kind = 0 THEN different ELSE 0 END) AS end_users,
  SUM(CASE WHEN kind = 1 THEN different ELSE 0 END) AS clients,
  SUM(CASE WHEN kind = 2 THEN different ELSE 0 END) AS agents,
  SUM(CASE WHEN kind = 3 THEN different ELSE 0 END) AS toolsets
FROM (
  SELECT
    account_key,
    0 AS kind,
    COUNT(*) AS different
  FROM (
    SELECT DISTINCT
      account_key,
      end_user_key
    FROM traces
    WHERE
      end_user_key <> 0
      AND account_key IN (
        SELECT
          account_key
        FROM family_accounts
        WHERE
          family IN (
            SELECT
              family
            FROM chosen
          )
      )
  )
  GROUP BY
    account_key
  UNION ALL
  SELECT
    account_key,
    1 AS kind,
    COUNT(*) AS different
  FROM (
    SELECT DISTINCT
      account_key,
      tls_key
    FROM traces
    WHERE
      tls_key <> 0
      AND account_key IN (
        SELECT
          account_key
        FROM family_accounts
        WHERE
          family IN (
            SELECT
              family
            FROM chosen
          )
      )
  )
  GROUP BY
    account_key
  UNION ALL
  SELECT
    account_key,
    2 AS kind,
    COUNT(*) AS different
  FROM (
    SELECT DISTINCT
      account_key,
      agent_key
    FROM traces
    WHERE
      agent_key <> 0
      AND account_key IN (
        SELECT
          account_key
        FROM family_accounts
        WHERE
          family IN (
            SELECT
              family
            FROM chosen
          )
      )
  )
  GROUP BY
    account_key
  UNION ALL
  SELECT
    account_key,
    3 AS kind,
    COUNT(*) AS different
  FROM (
    SELECT DISTINCT
      account_key,
      tools_key
    FROM traces
    WHERE
      tools_key <> 0
      AND account_key IN (
        SELECT
          account_key
        FROM family_accounts
        WHERE
          family IN (
            SELECT
              family
            FROM chosen
          )
      )
  )
  GROUP BY
    account_key
)
GROUP BY
  account_key

-- PROGRAMME_TENTHS
SELECT
  programme,
  tenth,
  MAX(calls) AS calls
FROM (
  SELECT
    programme,
    calls,
    NTILE(10) OVER (PARTITION BY programme ORDER BY calls NULLS LAST) AS tenth
  FROM account_facts
)
GROUP BY
  programme,
  tenth
ORDER BY
  programme NULLS LAST,
  tenth NULLS LAST

-- MODEL_CALLS
SELECT
  model_key,
  time_us DIV {block_us} AS block,
  COUNT(*) AS calls
FROM traces
WHERE
  model_key IN (
    SELECT
      model_key
    FROM traces
    GROUP BY
      model_key
    ORDER BY
      COUNT(*) DESC,
      (
        model_key ^ -9223372036854775808
      ) NULLS LAST
    LIMIT {models_max}
  )
GROUP BY
  model_key,
  block
ORDER BY
  (
    model_key ^ -9223372036854775808
  ) NULLS LAST,
  block NULLS LAST

-- FOREIGN_BLOCKS
SELECT
  event_key,
  block_key,
  presenter_key,
  issuer_key
FROM (
  SELECT
    p.event_key,
    p.block_key,
    f.owner_key AS presenter_key,
    (
      MIN((
        i.owner_key ^ -9223372036854775808
      )) ^ -9223372036854775808
    ) AS issuer_key,
    MAX(CASE WHEN i.owner_key = f.owner_key THEN 1 ELSE 0 END) AS own
  FROM blocks AS p
  JOIN account_facts AS f
    USING (account_key)
  JOIN (
    SELECT DISTINCT
      b.block_key,
      a.owner_key
    FROM blocks AS b
    JOIN account_facts AS a
      USING (account_key)
    WHERE
      b.presented = 0 AND b.block_key % {parts} = {part}
  ) AS i
    ON i.block_key = p.block_key
  WHERE
    p.presented = 1 AND p.block_key % {parts} = {part}
  GROUP BY
    p.event_key,
    p.block_key,
    f.owner_key
)
WHERE
  own = 0

-- FOREIGN_CALLS
SELECT
  event_key,
  (
    MIN((
      issuer_key ^ -9223372036854775808
    )) ^ -9223372036854775808
  ) AS issuer_key
FROM foreign_blocks
GROUP BY
  event_key

-- TAKEN_CALLS
SELECT
  b.event_key,
  (
    MIN((
      f.presenter_key ^ -9223372036854775808
    )) ^ -9223372036854775808
  ) AS taker_key
FROM blocks AS b
JOIN foreign_blocks AS f
  USING (block_key)
WHERE
  b.presented = 0
GROUP BY
  b.event_key

-- MOVED_CALLS
SELECT
  event_key
FROM foreign_calls
UNION
SELECT
  event_key
FROM taken_calls
ORDER BY
  (
    event_key ^ -9223372036854775808
  ) NULLS LAST

-- OWNERS
SELECT
  COUNT(*) AS owners
FROM (
  SELECT DISTINCT
    owner_key
  FROM account_facts
)

-- SIGN_UPS
SELECT
  MIN(created_us) AS created_us
FROM account_facts
WHERE
  created_us >= 0 AND programme = 0
GROUP BY
  owner_key
ORDER BY
  created_us NULLS LAST

-- FAMILY_ACCOUNTS
SELECT
  family,
  account_key,
  COUNT(*) AS calls,
  SUM(tested) AS tested_calls
FROM members
WHERE
  family % {parts} = {part}
GROUP BY
  family,
  account_key

-- LARGE_FAMILIES
SELECT
  family
FROM family_accounts_part
GROUP BY
  family
HAVING
  COUNT(*) >= {accounts_min}

-- FAMILY_SIZES
SELECT
  family,
  SUM(accounts) AS accounts,
  SUM(busy_accounts) AS busy_accounts,
  COUNT(*) AS owners,
  SUM(calls) AS calls,
  SUM(tested_calls) AS tested_calls,
  SUM(account_calls) AS account_calls,
  SUM(discovery_accounts) AS discovery_accounts,
  SUM(discovery_squares) AS discovery_squares
FROM (
  SELECT
    f.family,
    a.owner_key,
    COUNT(*) AS accounts,
    SUM(f.calls) AS calls,
    SUM(f.tested_calls) AS tested_calls,
    SUM(a.calls) AS account_calls,
    SUM(CASE WHEN f.calls > f.tested_calls THEN 1 ELSE 0 END) AS discovery_accounts,
    SUM((
      f.calls - f.tested_calls
    ) * (
      f.calls - f.tested_calls
    )) AS discovery_squares,
    SUM(CASE WHEN f.calls - f.tested_calls >= 2 THEN 1 ELSE 0 END) AS busy_accounts
  FROM family_accounts AS f
  JOIN account_facts AS a
    USING (account_key)
  WHERE
    f.family % {parts} = {part}
  GROUP BY
    f.family,
    a.owner_key
)
GROUP BY
  family
HAVING
  SUM(calls) >= {calls_min}

-- FAMILY_ITEMS
SELECT
  family,
  COUNT(*) AS items
FROM (
  SELECT DISTINCT
    family,
    item_key
  FROM members
  SEMI JOIN family_sizes
    USING (family)
  WHERE
    family % {parts} = {part}
)
GROUP BY
  family

-- FAMILY_CLASSES
SELECT
  family,
  SUM((
    SHIFTRIGHT(phrases, 0)
  ) & 1) AS class_0,
  SUM((
    SHIFTRIGHT(phrases, 1)
  ) & 1) AS class_1,
  SUM((
    SHIFTRIGHT(phrases, 2)
  ) & 1) AS class_2,
  SUM((
    SHIFTRIGHT(phrases, 3)
  ) & 1) AS class_3,
  SUM((
    SHIFTRIGHT(phrases, 4)
  ) & 1) AS class_4,
  SUM((
    SHIFTRIGHT(phrases, 5)
  ) & 1) AS class_5,
  SUM((
    SHIFTRIGHT(phrases, 6)
  ) & 1) AS class_6,
  SUM((
    SHIFTRIGHT(phrases, 7)
  ) & 1) AS class_7,
  SUM((
    SHIFTRIGHT(phrases, 8)
  ) & 1) AS class_8,
  SUM((
    SHIFTRIGHT(phrases, 9)
  ) & 1) AS class_9,
  SUM((
    SHIFTRIGHT(phrases, 10)
  ) & 1) AS class_10,
  SUM((
    SHIFTRIGHT(signs, 0)
  ) & 1) AS refused,
  SUM((
    SHIFTRIGHT(signs, 1)
  ) & 1) AS replayed
FROM members
SEMI JOIN family_sizes
  USING (family)
WHERE
  family % {parts} = {part} AND tested = 0
GROUP BY
  family

-- FAMILY_FACTS
SELECT
  s.*,
  i.items,
  COALESCE(c.class_0, 0) AS class_0,
  COALESCE(c.class_1, 0) AS class_1,
  COALESCE(c.class_2, 0) AS class_2,
  COALESCE(c.class_3, 0) AS class_3,
  COALESCE(c.class_4, 0) AS class_4,
  COALESCE(c.class_5, 0) AS class_5,
  COALESCE(c.class_6, 0) AS class_6,
  COALESCE(c.class_7, 0) AS class_7,
  COALESCE(c.class_8, 0) AS class_8,
  COALESCE(c.class_9, 0) AS class_9,
  COALESCE(c.class_10, 0) AS class_10,
  COALESCE(c.refused, 0) AS refused,
  COALESCE(c.replayed, 0) AS replayed
FROM family_sizes AS s
JOIN family_items AS i
  USING (family)
LEFT JOIN family_classes AS c
  USING (family)
ORDER BY
  s.family NULLS LAST

-- IDENTITIES 0
SELECT DISTINCT
  0 AS kind,
  ip_key AS value,
  account_key
FROM traces
WHERE
  ip_key <> 0

-- IDENTITIES 1
SELECT DISTINCT
  1 AS kind,
  tls_key AS value,
  account_key
FROM traces
WHERE
  tls_key <> 0

-- IDENTITIES 2
SELECT DISTINCT
  2 AS kind,
  credential_key AS value,
  account_key
FROM traces
WHERE
  credential_key <> 0

-- IDENTITIES 3
SELECT DISTINCT
  3 AS kind,
  end_user_key AS value,
  account_key
FROM traces
WHERE
  end_user_key <> 0

-- IDENTITIES 4
SELECT DISTINCT
  4 AS kind,
  payment_digest AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  payment_digest <> 0

-- IDENTITIES 5
SELECT DISTINCT
  5 AS kind,
  phone_digest AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  phone_digest <> 0

-- IDENTITIES 6
SELECT DISTINCT
  6 AS kind,
  email_digest AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  email_digest <> 0

-- IDENTITIES 7
SELECT DISTINCT
  7 AS kind,
  email_domain AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  email_domain <> 0

-- IDENTITIES 8
SELECT DISTINCT
  8 AS kind,
  signup_ip AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  signup_ip <> 0

-- IDENTITIES 9
SELECT DISTINCT
  9 AS kind,
  signup_tls_fingerprint AS value,
  account_key
FROM account_rows
SEMI JOIN account_calls
  USING (account_key)
WHERE
  signup_tls_fingerprint <> 0

-- SHARED_VALUES
SELECT
  kind,
  value,
  COUNT(*) AS degree
FROM (
  SELECT DISTINCT
    kind,
    value,
    owner_key
  FROM identities
  JOIN account_facts
    USING (account_key)
  WHERE
    kind BETWEEN {first_kind} AND {last_kind}
)
GROUP BY
  kind,
  value
HAVING
  COUNT(*) >= 2

-- HELD_VALUES
SELECT
  f.family,
  i.kind,
  i.value,
  s.degree,
  i.account_key
FROM identities AS i
JOIN shared_values AS s
  ON i.kind = s.kind AND i.value = s.value
JOIN family_accounts AS f
  ON f.account_key = i.account_key
WHERE
  f.family IN (
    SELECT
      family
    FROM chosen
  )

-- FAMILY_MEMBERS
SELECT
  f.family,
  f.account_key,
  a.calls,
  a.organization_key,
  a.created_us,
  a.closed_us,
  a.banned,
  a.reseller,
  a.programme,
  a.declared_use,
  a.plan,
  a.verification,
  COALESCE(v.end_users, 0) AS end_users,
  COALESCE(v.clients, 0) AS clients,
  COALESCE(v.agents, 0) AS agents,
  COALESCE(v.toolsets, 0) AS toolsets
FROM family_accounts AS f
JOIN account_facts AS a
  USING (account_key)
LEFT JOIN account_variety AS v
  USING (account_key)
WHERE
  f.family IN (
    SELECT
      family
    FROM chosen
  )

-- PANEL_CALLS
SELECT
  c.*,
  COALESCE(f.issuer_key, 0) AS issuer_key,
  COALESCE(t.taker_key, 0) AS taker_key
FROM collected AS c
LEFT JOIN foreign_calls AS f
  USING (event_key)
LEFT JOIN taken_calls AS t
  USING (event_key)

-- PANEL_SIZES
SELECT
  family,
  COUNT(*) AS calls
FROM panel_calls
GROUP BY
  family
