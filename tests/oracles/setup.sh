#!/usr/bin/env bash
# What judges the doubles: clients of other makers from PyPI, servers from npm. Into `.oracles`, beside `.venv`.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ .oracles/installed -nt tests/oracles/requirements.txt ] && [ .oracles/installed -nt tests/oracles/package.json ]; then
    exit 0
fi
.venv/bin/python -m venv .oracles
.oracles/bin/pip install -q -r tests/oracles/requirements.txt
cp tests/oracles/package.json .oracles/
# `web/node.sh` has a Node; it runs in `web`.
bash web/node.sh npm install --prefix ../.oracles --no-audit --no-fund --loglevel=error
touch .oracles/installed
