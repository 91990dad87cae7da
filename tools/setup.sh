#!/bin/sh
# Make .venv from the locked requirements: "base" is what running Stillwatch needs, "dev" is what working on
# it needs, "bench" also has the libraries that it is timed against; "gateways" makes .venv-gateways, the gateway that
# tests speak to, apart from everything of ours. Every download is checked against a hash in requirements/; done again
# only when those change.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-base}
python=${PYTHON:-python3}

say() { echo "stillwatch: $*"; }
fail() { echo "stillwatch: error: $1" >&2; echo "stillwatch: hint: $2" >&2; exit 1; }

venv=.venv program=stillwatch
[ "$kind" != gateways ] || venv=.venv-gateways program=litellm

digest() { cat pyproject.toml requirements/build.txt "requirements/$1.txt" | sha256sum | cut -d' ' -f1; }
ready() { [ -f "$venv/.$1" ] && [ "$(cat "$venv/.$1")" = "$(digest "$1")" ] && [ -x "$venv/bin/$program" ]; }

case $kind in
  base) if ready base || ready dev || ready bench; then exit 0; fi ;;
  dev) if ready dev || ready bench; then exit 0; fi ;;
  bench | gateways) if ready "$kind"; then exit 0; fi ;;
  *) fail "no requirements named $kind" "tools/setup.sh base, dev, bench, or gateways" ;;
esac

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  command -v "$python" >/dev/null || fail "$python was not found" "apt-get install -y python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11" "make PYTHON=/path/to/a/newer/python3 …"
  # Debian keeps ensurepip, which a new environment needs, in a package of its own.
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
      fail "$python cannot make an environment: it has no ensurepip" "sudo apt-get install -y python3-venv"
    say "installing python3-venv"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
  fi
  say "making $venv"
  "$python" -m venv --clear "$venv"
fi

say "installing requirements/$kind.txt (each file checked against its hash)"
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 $venv/bin/python -m pip --no-input --quiet install"
$pip --require-hashes -r requirements/build.txt
# What builds a package is already there, from a hash too: isolation would fetch it again without one.
$pip --require-hashes --no-build-isolation -r "requirements/$kind.txt"
[ "$kind" = gateways ] || $pip --no-deps --no-build-isolation --editable .
digest "$kind" >"$venv/.$kind"
