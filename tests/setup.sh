#!/usr/bin/env bash
# What the tests need beside Python and Node: a Chromium. As root on Debian it installs itself.
set -euo pipefail
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
    else
        echo "The end-to-end tests need Chromium: install the package 'chromium' and try again." >&2
        exit 1
    fi
fi
