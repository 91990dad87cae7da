"""Settings to start from: every setting once, what it is unless it is said, and a sentence about it."""

EXAMPLE = """\
# Settings of a gate. Paths are meant from the folder of this file; docs/gate.md tells more.

# The secret behind the pseudonyms: the one that detection and the snapshot were made with.
key-file = "stillwatch.key"

[snapshot]
file = "snapshot.bin"
# Public keys of who may sign a snapshot.
keys = ["issuer.pub"]
refresh-seconds = 5.0
# Where the gate keeps which snapshot it has taken, so that a restart takes no older one.
sequence-file = "snapshot.sequence"

[policy]
file = "policy.yaml"

# Where gateways ask.
[listen]
host = "127.0.0.1"
port = 8440
# What they must send as x-stillwatch-token; without it, whoever reaches the port may ask.
# token-file = "gate.token"

# Where operators look: /metrics, /healthz, /readyz, /snapshot, and POST /reload, which needs the token.
[admin]
host = "127.0.0.1"
port = 8441
# token-file = "admin.token"

# What is remembered between calls: "memory" of this process, or a Redis that several share.
[state]
url = "memory"
timeout-ms = 20
# password-file = "redis.password"

[doors]
guardrail = true      # LiteLLM: POST /beta/litellm_basic_guardrail_api
decisions = true      # any gateway: POST /v1/decisions
forward-auth = true   # NGINX, Traefik, Caddy: /forward-auth/…
proxy = false         # everything else goes to [upstream]
envoy = false         # gRPC checks at [envoy]

[limits]
body-bytes-max = 67108864
headers-count-max = 200
header-bytes-max = 65536
# The state is waited for half as long, then it counts as away; an Envoy gets an answer by then.
deadline-ms = 100
read-seconds = 10.0
concurrency-max = 10000
# How long open calls may take to end after SIGTERM.
drain-seconds = 20

# Which header carries which column of a call; without it docs/gate.md says what is taken. Name headers that your own
# edge sets: a caller can write any other.
# [identity]
# account_id = ["x-user-id"]
# client_ip = ["x-real-ip"]
# account_by_key = true

# Keep calls as canonical events.
# [capture]
# dir = "events"
# spool = "spool"
# format = "parquet"
# rotate-seconds = 60.0
# spool-bytes-max = 1073741824

# [upstream]
# url = "https://models.example"
# connect-seconds = 5.0
# read-seconds = 600.0
# idle-seconds = 4.0
# connections-max = 1000
# On where another proxy of yours stands before the gate and writes X-Forwarded-*.
# trust-forwarded = false
# Headers that only your own edge writes: a caller's are dropped.
# reserved = []
# What becomes of a request that is no model call: it passes untouched, or is refused.
# unknown = "pass"

[envoy]
host = "127.0.0.1"
port = 8442

[telemetry]
log-level = "info"
# otlp-endpoint = "http://127.0.0.1:4318/v1/traces"
"""
