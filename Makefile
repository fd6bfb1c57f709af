# Bellhop: `make demo` phones the agent on this machine, `make test` proves it. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# 3.13 is what runs on AWS, so it is preferred where it can be started (a version manager's shim that only says
# "not found" cannot); any Python from 3.11 on will do.
PYTHON := $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && "$$python" -c 'import sys; print(sys.executable)' && break; done)
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Bellhop needs Python 3.11 or newer, and none was found on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.PHONY: setup setup-local
setup: $(filter .uv/bin/uv,$(UV)) ## install all that development needs, pinned by uv.lock
	$(UV) sync --frozen --quiet --inexact --python "$(PYTHON)"

setup-local: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --inexact --python "$(PYTHON)" --no-default-groups --group local

.PHONY: demo run
demo: setup-local ## a caller phones the agent on this machine and reaches a person; no account, no key
	$(RUN) python -m local.demo

run: setup-local ## the same stack, left up; OPENAI_API_KEY, PUBLIC_URL and Twilio's credentials make it real
	$(RUN) python -m local.run

.PHONY: test check
test: setup check ## all of it
	$(RUN) pytest

check: setup ## lint, format, types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
