# Two commands are all that is needed: `make demo` and `make test`. ARGS goes to the demo, to pytest
# and to the benchmarks: make test ARGS="-k webhook".

export PATH := $(shell ls -d $(HOME)/.pyenv/versions/3.1[1-9]*/bin 2>/dev/null | tr '\n' ':')$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON_DOWNLOADS := never

usable = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
candidates := python3.19 python3.18 python3.17 python3.16 python3.15 python3.14 python3.13 python3.12 python3.11 python3
PYTHON := $(shell PATH='$(PATH)'; for p in $(candidates); do \
	$$p -c '$(usable)' 2>/dev/null && echo $$p && break; done; true)
TOX = .venv-dev/bin/tox run
# Tools for imp-verify.js alone; without npm its tests in node are skipped and say so.
NODE_TOOLS = tests/js/node_modules/.package-lock.json
# Other people's clients, each in an environment of its own, for tests/clients alone.
CLIENTS = .venv-clients/stamp
ARGS ?=
# Which environments `make test` runs: a label of tox.ini. `.ci/run` says ci.
LABEL ?= test

.DEFAULT_GOAL := help
.PHONY: help demo test test-all dev docs docs-messages js clients lint format bench soak fuzz screenshots hooks clean python

help: ## what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
		printf '  make %-13s %s\n' "$$name" "$$what"; done

demo: .venv/stamp ## a whole shop with an offline gateway, in the browser
	@.venv/bin/imp-verify demo $(ARGS)

test: export IMP_VERIFY_RUN = python -m
test: .venv-dev/stamp $(NODE_TOOLS) $(if $(filter ci,$(LABEL)),$(CLIENTS)) ## lint, types, and on the newest Python at hand every test but the slow ones
	$(TOX) -m $(LABEL) -- $(ARGS)

test-all: export IMP_VERIFY_GROUPS ?= compiled
test-all: .venv-dev/stamp $(NODE_TOOLS) $(CLIENTS) ## the whole matrix: every Python, oldest and newest frameworks, the package itself, coverage
	$(TOX) -- $(ARGS)

dev: .venv-dev/stamp ## an environment on the sources, to run one test at once: .venv-edit/bin/pytest
	rm -rf .venv-edit
	.venv-dev/bin/tox devenv -e whole .venv-edit

js: $(NODE_TOOLS) ## make imp-verify.min.js again from imp-verify.js; needs npm
	cd tests/js && npm run --silent build

clients: $(CLIENTS) ## other people's clients of the gateway, for the tests of the sandbox; needs npm

docs: .venv-dev/stamp ## the site, in docs/_build/en and docs/_build/ko
	$(TOX) -e docs

docs-messages: .venv-dev/stamp ## what Korean lacks after a page has changed: docs/locale
	$(TOX) -e docs-messages

lint: .venv-dev/stamp ## formatting, lint and types
	$(TOX) -e lint,typing

format: .venv-dev/stamp ## put the code in the house format
	$(TOX) -qx 'testenv:lint.commands=' -e lint
	.tox/lint/bin/ruff check --fix-only --quiet
	.tox/lint/bin/ruff format

bench: .venv-dev/stamp ## the budgets and servers under load, measured; ARGS=--all measures more
	$(TOX) -e bench -- $(ARGS)

screenshots: .venv-dev/stamp ## the pictures in docs/images again; needs Debian's Chromium
	$(TOX) -e screenshots

soak: .venv-dev/stamp ## a thousand orders on servers that are killed, over databases that are cut off
	IMP_VERIFY_SOAK_ORDERS=$${IMP_VERIFY_SOAK_ORDERS:-1000} $(TOX) -e whole -- tests/soak $(ARGS)

fuzz: .venv-dev/stamp ## a million inputs for everything that reads strangers' text: make fuzz ARGS="--seed 1 body"
	$(TOX) -e fuzz -- $(ARGS)

hooks: .venv-dev/stamp ## run format and lint before every commit
	.venv-dev/bin/pip install -q pre-commit
	.venv-dev/bin/pre-commit install

clean: ## remove all that these commands made
	rm -rf tests/js/node_modules tests/js/react18/node_modules examples/web/*/dist
	rm -rf tests/clients/npm/*/node_modules
	rm -rf docs/_build
	rm -rf .venv .venv-dev .venv-edit .venv-clients .tox dist build .coverage* .hypothesis .pytest_cache .mypy_cache .ruff_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

python:
ifeq ($(PYTHON),)
	$(error no Python 3.11 or newer with venv is on the PATH; on Debian and Ubuntu: apt install python3 python3-venv)
endif

.venv/stamp: pyproject.toml | python
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install -q -e '.[demo]'
	@touch $@

# Nothing else stops where npm is missing or finds no registry.
$(NODE_TOOLS): tests/js/package-lock.json
	@cd tests/js && if command -v npm >/dev/null; then \
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch ../../$@; else false; fi \
	|| echo "no npm, or no registry: the tests of imp-verify.js in node are skipped" >&2

$(CLIENTS): $(wildcard tests/clients/npm/*/package-lock.json tests/clients/pypi/*.txt) | .venv-dev/stamp
	@sh tests/clients/install.sh .venv-dev/bin/uv .venv-dev/bin/python \
	|| echo "no npm, or no registry: the tests of published clients are skipped" >&2

.venv-dev/stamp: tox.ini Makefile | python
	$(PYTHON) -m venv --clear .venv-dev
	.venv-dev/bin/pip install -q 'tox>=4.60' 'tox-uv>=1.30'
	@touch $@
