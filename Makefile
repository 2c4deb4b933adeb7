# Everything installs itself: Python parts into .venv, Node from PyPI, test servers where needed.
SHELL := /bin/bash
# Distributions build their Python with profile-guided optimisation; many others are not and serve
# half as many messages a second. `make PYTHON=…` takes another.
PYTHON ?= $(shell for p in /usr/bin/python3 python3; do $$p -c 'import sys, venv, ensurepip; \
	sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run cluster test test-fast lint types bench web docs fuzz oracles build setup clean

run: .venv/installed src/qingniao/web/built ## Serve everything on one port
	@exec $(BIN)/qingniao serve

cluster: .venv/installed-cluster src/qingniao/web/built ## The same as many processes
	@exec $(BIN)/qingniao cluster

test: .venv/installed-dev src/qingniao/web/built web/node_modules/.installed lint types ## What CI runs
	@bash tests/setup.sh
	$(BIN)/pytest -n 2 --dist loadgroup -m "not e2e"
	$(BIN)/pytest -m e2e
	@bash web/node.sh npx vitest run

test-fast: .venv/installed-dev lint ## Under a minute
	$(BIN)/pytest -q -n 2 -m "not e2e"

lint: .venv/installed-dev web/node_modules/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/codespell
	@bash web/node.sh npm run --silent lint

types: .venv/installed-dev web/node_modules/.installed
	$(BIN)/mypy
	@bash web/node.sh npm run --silent types

bench: .venv/installed-dev src/qingniao/web/built ## make bench NAME=start QUICK=1
	@$(BIN)/python -m bench.run $(NAME)

web src/qingniao/web/built: .venv/installed web/node_modules/.installed $(shell find web/apps web/packages -type f -not -path '*/node_modules/*' -not -path '*/test/*' -not -name '*.tsbuildinfo' 2>/dev/null)
	@bash web/node.sh npm run build && touch src/qingniao/web/built

docs: .venv/installed-dev ## Regenerate the generated pages of docs/reference
	$(BIN)/python -m docs.generate

fuzz: .venv/installed-dev
	$(BIN)/pip install -q --group fuzz && $(BIN)/python tests/fuzz/run.py

oracles: .venv/installed-dev ## Clients and servers of other makers judge the doubles
	@bash tests/oracles/setup.sh
	QINGNIAO_DIFY_OPENAPI=$(abspath $(DIFY)) $(BIN)/pytest -m oracle tests/oracles

build: src/qingniao/web/built
	$(BIN)/pip install -q build && $(BIN)/python -m build --wheel

setup: .venv/installed-dev web/node_modules/.installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv && $(BIN)/pip install -q --upgrade "pip>=25.1" && $(BIN)/pip install -q -e . --group web -c constraints.txt && touch $@

.venv/installed-cluster: .venv/installed
	@$(BIN)/pip install -q -e '.[cluster]' -c constraints.txt && touch $@

.venv/installed-dev: .venv/installed
	@$(BIN)/pip install -q -e . --group dev -c constraints.txt && touch $@

# Not `npm ci`: it insists on the optional packages of every platform, which not every registry has.
web/node_modules/.installed: web/package.json web/package-lock.json .venv/installed
	@bash web/node.sh npm install --no-audit --no-fund --loglevel=error && touch $@

clean:
	rm -rf .venv .oracles web/node_modules src/qingniao/web build dist
