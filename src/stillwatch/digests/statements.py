"""The digests of a run: additive GROUP BYs over traces, in plain SQL. `{name}` is filled with integers only.

Tables they read: `traces` (trace.TRACE_SCHEMA without shingles), `blocks` (trace.BLOCK_SCHEMA), `members` (a row for
each call of each family), `account_rows` (accounts, as pseudonyms). Every statement is a set or a sum over rows, so
neither order nor cut changes its answer. Distinct values are counted by a GROUP BY of a GROUP BY, which spills to disk
where count(DISTINCT) does not.
"""

from __future__ import annotations

from stillwatch.trace import LOSS_FLAGS, PHRASE_CLASSES, SIGNS

REPEATED_EVENTS = """
SELECT event_key FROM traces WHERE event_key % {parts} = {part} GROUP BY event_key HAVING count(*) > 1
"""

KEPT_EVENTS = """
SELECT {columns} FROM traces ANTI JOIN repeated USING (event_key) WHERE event_key % {parts} = {part}
UNION ALL
SELECT {columns} FROM traces SEMI JOIN repeated USING (event_key) WHERE event_key % {parts} = {part}
QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY {ordered}) = 1
"""
"""One row of each event id: of the table `repeated`, the first by time and then by content."""

LOG_FACTS = """
SELECT sum(calls) AS events, count(*) AS accounts, min(first_us) AS first_us, max(last_us) AS last_us FROM (
    SELECT count(*) AS calls, min(time_us) AS first_us, max(time_us) AS last_us FROM traces GROUP BY account_key
)
"""

LOG_LOSSES = (
    "SELECT "
    + ", ".join(f"sum(CASE WHEN flags & {flag} > 0 THEN 1 ELSE 0 END) AS {loss}" for loss, flag in LOSS_FLAGS.items())
    + " FROM traces"
)

BLOCK_CALLS = """
SELECT time_us // {block_us} AS block, count(*) AS calls FROM traces GROUP BY block ORDER BY block
"""

ACCOUNT_ROWS = """
SELECT * EXCLUDE (facts) FROM given_accounts QUALIFY row_number() OVER (
    PARTITION BY account_key ORDER BY facts DESC, {columns}
) = 1
"""
"""One row of each account, taken whole: the one with the most facts, and among equals the greatest by its values."""

ACCOUNT_CALLS = """
SELECT account_key, count(*) AS calls, max(organization_key) AS organization_key FROM traces GROUP BY account_key
"""

ACCOUNT_FACTS = """
SELECT *, CASE WHEN organization_key = 0 THEN account_key ELSE organization_key END AS owner_key FROM (
    SELECT c.account_key, c.calls,
           CASE WHEN c.organization_key = 0 THEN coalesce(a.organization_key, 0) ELSE c.organization_key END
               AS organization_key,
           coalesce(a.created_us, -1) AS created_us, coalesce(a.closed_us, -1) AS closed_us,
           coalesce(a.banned, 0) AS banned, coalesce(a.reseller, 0) AS reseller,
           coalesce(a.programme, 0) AS programme, coalesce(a.declared_use, 0) AS declared_use,
           coalesce(a.plan, 0) AS plan, coalesce(a.verification, 0) AS verification
    FROM account_calls c LEFT JOIN account_rows a USING (account_key)
)
"""

VARIETY = {"end_users": "end_user_key", "clients": "tls_key", "agents": "agent_key", "toolsets": "tools_key"}
"""What is counted by account over the whole log ← the trace column whose different values are counted."""

ACCOUNT_FACT_COLUMNS = (
    *("closed_us", "banned", "reseller", "programme", "declared_use", "plan", "verification"),
    *VARIETY,
)

ACCOUNT_VARIETY = (
    "SELECT account_key, "
    + ", ".join(
        f"sum(CASE WHEN kind = {kind} THEN different ELSE 0 END) AS {name}" for kind, name in enumerate(VARIETY)
    )
    + " FROM ("
    + " UNION ALL ".join(
        f"SELECT account_key, {kind} AS kind, count(*) AS different FROM ("
        f"SELECT DISTINCT account_key, {column} FROM traces WHERE {column} <> 0 AND account_key IN ("
        "SELECT account_key FROM family_accounts WHERE family IN (SELECT family FROM chosen))"
        ") GROUP BY account_key"
        for kind, column in enumerate(VARIETY.values())
    )
    + ") GROUP BY account_key"
)

PROGRAMME_TENTHS = """
SELECT programme, tenth, max(calls) AS calls FROM (
    SELECT programme, calls, ntile(10) OVER (PARTITION BY programme ORDER BY calls) AS tenth FROM account_facts
) GROUP BY programme, tenth ORDER BY programme, tenth
"""

MODEL_CALLS = """
SELECT model_key, time_us // {block_us} AS block, count(*) AS calls FROM traces WHERE model_key IN (
    SELECT model_key FROM traces GROUP BY model_key ORDER BY count(*) DESC, model_key LIMIT {models_max}
) GROUP BY model_key, block ORDER BY model_key, block
"""

FOREIGN_BLOCKS = """
SELECT event_key, block_key, presenter_key, issuer_key FROM (
    SELECT p.event_key, p.block_key, f.owner_key AS presenter_key, min(i.owner_key) AS issuer_key,
           max(CASE WHEN i.owner_key = f.owner_key THEN 1 ELSE 0 END) AS own
    FROM blocks p JOIN account_facts f USING (account_key) JOIN (
        SELECT DISTINCT b.block_key, a.owner_key FROM blocks b JOIN account_facts a USING (account_key)
        WHERE b.presented = 0 AND b.block_key % {parts} = {part}
    ) i ON i.block_key = p.block_key
    WHERE p.presented = 1 AND p.block_key % {parts} = {part} GROUP BY p.event_key, p.block_key, f.owner_key
) WHERE own = 0
"""
"""Blocks that a call presented and that were issued, but to no account of its own owner; whom they were issued to."""

FOREIGN_CALLS = "SELECT event_key, min(issuer_key) AS issuer_key FROM foreign_blocks GROUP BY event_key"
"""The calls that presented such blocks."""

TAKEN_CALLS = """
SELECT b.event_key, min(f.presenter_key) AS taker_key FROM blocks b JOIN foreign_blocks f USING (block_key)
WHERE b.presented = 0 GROUP BY b.event_key
"""
"""The calls that were issued such blocks, and who presented them."""

MOVED_CALLS = "SELECT event_key FROM foreign_calls UNION SELECT event_key FROM taken_calls ORDER BY event_key"
"""The calls of both sorts: at them a reasoning block passed from one owner to another."""

OWNERS = "SELECT count(*) AS owners FROM (SELECT DISTINCT owner_key FROM account_facts)"

SIGN_UPS = """
SELECT min(created_us) AS created_us FROM account_facts WHERE created_us >= 0 AND programme = 0
GROUP BY owner_key ORDER BY created_us
"""
"""The first sign-up of each owner that came by itself: an enterprise that opens three hundred seats came once, and who
is in a programme came when the provider let them in."""

FAMILY_ACCOUNTS = """
SELECT family, account_key, count(*) AS calls, sum(tested) AS tested_calls FROM members
WHERE family % {parts} = {part} GROUP BY family, account_key
"""

LARGE_FAMILIES = """
SELECT family FROM family_accounts_part GROUP BY family HAVING count(*) >= {accounts_min}
"""

FAMILY_SIZES = """
SELECT family, sum(accounts) AS accounts, sum(busy_accounts) AS busy_accounts, count(*) AS owners,
       sum(calls) AS calls, sum(tested_calls) AS tested_calls, sum(account_calls) AS account_calls,
       sum(discovery_accounts) AS discovery_accounts, sum(discovery_squares) AS discovery_squares
FROM (
    SELECT f.family, a.owner_key, count(*) AS accounts, sum(f.calls) AS calls, sum(f.tested_calls) AS tested_calls,
           sum(a.calls) AS account_calls,
           sum(CASE WHEN f.calls > f.tested_calls THEN 1 ELSE 0 END) AS discovery_accounts,
           sum((f.calls - f.tested_calls) * (f.calls - f.tested_calls)) AS discovery_squares,
           sum(CASE WHEN f.calls - f.tested_calls >= 2 THEN 1 ELSE 0 END) AS busy_accounts
    FROM family_accounts f JOIN account_facts a USING (account_key)
    WHERE f.family % {parts} = {part} GROUP BY f.family, a.owner_key
) GROUP BY family HAVING sum(calls) >= {calls_min}
"""

FAMILY_ITEMS = """
SELECT family, count(*) AS items FROM (
    SELECT DISTINCT family, item_key FROM members SEMI JOIN family_sizes USING (family)
    WHERE family % {parts} = {part}
) GROUP BY family
"""

FAMILY_CLASSES = (
    "SELECT family, "
    + ", ".join(f"sum((phrases >> {c}) & 1) AS class_{c}" for c in range(len(PHRASE_CLASSES)))
    + "".join(f", sum((signs >> {at}) & 1) AS {sign}" for at, sign in enumerate(SIGNS))
    + " FROM members SEMI JOIN family_sizes USING (family) "
    "WHERE family % {parts} = {part} AND tested = 0 GROUP BY family"
)

FAMILY_FACTS = (
    "SELECT s.*, i.items, "
    + ", ".join(f"coalesce(c.class_{c}, 0) AS class_{c}" for c in range(len(PHRASE_CLASSES)))
    + "".join(f", coalesce(c.{sign}, 0) AS {sign}" for sign in SIGNS)
    + " FROM family_sizes s JOIN family_items i USING (family) LEFT JOIN family_classes c USING (family) "
    "ORDER BY s.family"
)

TRACE_IDENTITIES = {
    "address": "ip_key",
    "client": "tls_key",
    "credential": "credential_key",
    "end user": "end_user_key",
}
ACCOUNT_IDENTITIES = {
    "payment": "payment_digest",
    "phone": "phone_digest",
    "e-mail": "email_digest",
    "e-mail domain": "email_domain",
    "sign-up address": "signup_ip",
    "sign-up client": "signup_tls_fingerprint",
}
"""Kinds of identifier that can link accounts, and the column each is taken from. A user agent names a program, not an
owner, and links nobody."""

IDENTITY_KINDS = (*TRACE_IDENTITIES, *ACCOUNT_IDENTITIES)

IDENTITIES = tuple(
    [
        f"SELECT DISTINCT {number} AS kind, {column} AS value, account_key FROM traces WHERE {column} <> 0"
        for number, column in enumerate(TRACE_IDENTITIES.values())
    ]
    + [
        f"SELECT DISTINCT {number} AS kind, {column} AS value, account_key FROM account_rows "
        f"SEMI JOIN account_calls USING (account_key) WHERE {column} <> 0"
        for number, column in enumerate(ACCOUNT_IDENTITIES.values(), start=len(TRACE_IDENTITIES))
    ]
)
"""One statement for each kind, in the order of IDENTITY_KINDS."""

SHARED_VALUES = """
SELECT kind, value, count(*) AS degree FROM (
    SELECT DISTINCT kind, value, owner_key FROM identities JOIN account_facts USING (account_key)
    WHERE kind BETWEEN {first_kind} AND {last_kind}
) GROUP BY kind, value HAVING count(*) >= 2
"""

HELD_VALUES = """
SELECT f.family, i.kind, i.value, s.degree, i.account_key FROM identities i
JOIN shared_values s ON i.kind = s.kind AND i.value = s.value
JOIN family_accounts f ON f.account_key = i.account_key
WHERE f.family IN (SELECT family FROM chosen)
"""

FAMILY_MEMBERS = """
SELECT f.family, f.account_key, a.calls, a.organization_key, a.created_us, a.closed_us, a.banned, a.reseller,
       a.programme, a.declared_use, a.plan, a.verification, coalesce(v.end_users, 0) AS end_users,
       coalesce(v.clients, 0) AS clients, coalesce(v.agents, 0) AS agents, coalesce(v.toolsets, 0) AS toolsets
FROM family_accounts f JOIN account_facts a USING (account_key) LEFT JOIN account_variety v USING (account_key)
WHERE f.family IN (SELECT family FROM chosen)
"""

PANEL_CALLS = """
SELECT c.*, coalesce(f.issuer_key, 0) AS issuer_key, coalesce(t.taker_key, 0) AS taker_key
FROM collected c LEFT JOIN foreign_calls f USING (event_key) LEFT JOIN taken_calls t USING (event_key)
"""

PANEL_SIZES = "SELECT family, count(*) AS calls FROM panel_calls GROUP BY family"
