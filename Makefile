# Bellhop: `make demo` plays a call on this machine, `make test` runs all tests. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Any Python from 3.11 works. 3.13 is preferred, since it runs on AWS, if it starts (a version manager's shim may only
# print "not found").
PYTHON := $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && "$$python" -c 'import sys; print(sys.executable)' && break; done)
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Bellhop needs Python 3.11 or newer, and none was found on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.PHONY: setup setup-local
setup: $(filter .uv/bin/uv,$(UV)) ## install everything for development, pinned by uv.lock
	$(UV) sync --frozen --quiet --inexact --python "$(PYTHON)"

setup-local: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --inexact --python "$(PYTHON)" --no-default-groups --group local

# The desk is tested in the system's Chromium. If it is missing, it is installed from Debian's packages where possible;
# otherwise the desk's tests say what is missing.
.PHONY: setup-browser
setup-browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
		|| echo "Chromium is missing; to install it from here takes root on Debian or Ubuntu" >&2

.PHONY: demo run
demo: setup-local ## a caller phones the agent on this machine and reaches a person; no account, no key
	$(RUN) python -m local.demo

run: setup-local ## the same stack, kept up; OPENAI_API_KEY, PUBLIC_URL and Twilio's credentials make it real
	$(RUN) python -m local.run

# The bridges that the worker is compared with. One that does not install is left out, and the bench says so.
CONTENDERS := forum agents pipecat

.PHONY: bench setup-bench
bench: setup-bench ## measure the worker and its alternatives under load; options in BENCH, such as BENCH="--calls 100"
	$(RUN) python -m bench $(BENCH)

setup-bench: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --inexact --python "$(PYTHON)" --no-default-groups --group local --group bench
	@for name in $(CONTENDERS); do UV_PROJECT_ENVIRONMENT=.venv-bench-$$name $(UV) sync --frozen --quiet --python "$(PYTHON)" \
		--only-group bench-$$name || { rm -rf .venv-bench-$$name; echo "the packages of $$name do not install here" >&2; }; done

.PHONY: test check chaos
# Most tests wait more than they compute, so they run in parallel. Tests that play whole calls in real time, break parts
# of a running stack or measure run alone.
ALONE := tests/local/twilio tests/whole_path tests/chaos tests/bench
test: setup setup-browser check ## all tests and checks
	$(RUN) pytest -n 3 --dist loadfile $(addprefix --ignore=,$(ALONE))
	$(RUN) pytest $(ALONE)

check: setup ## lint, format, types, imports
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports

chaos: setup-local ## CALLS=10: break every part once during that many calls, and count the callers who notice
	$(RUN) python -m local.chaos --calls $(or $(CALLS),10)

# ---- On AWS -------------------------------------------------------------------------------------------------------

.PHONY: secrets deploy number on-call
secrets: setup-local ## store Twilio's and OpenAI's keys in AWS Secrets Manager
	$(RUN) python -m deploy.secrets $(if $(NEW_SIGNING_KEY),--new-signing-key)

deploy: setup-local setup-sam ## deploy everything to AWS, or update it
	$(RUN) python -m deploy.release

number: setup-local ## NUMBER=+15551234567: point that Twilio number at the stack
	$(RUN) python -m deploy.number $(NUMBER)

on-call: setup-local ## FILE=on_call.toml: check and store the roster of people on call; without FILE, print it
	$(RUN) python -m deploy.on_call $(FILE)

# SAM and checkov pin many packages, and their pins conflict, so each has its own environment.
SAM := SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam

.PHONY: setup-sam setup-checkov lint-template build hooks cold-start
setup-sam: $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-sam $(UV) sync --frozen --quiet --python "$(PYTHON)" --only-group sam

setup-checkov: $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-checkov $(UV) sync --frozen --quiet --python "$(PYTHON)" --only-group checkov

test: setup-sam setup-checkov

lint-template: setup-sam setup-checkov ## sam validate, cfn-lint and a security scan of template.yaml
	$(SAM) validate --lint --region us-east-1
	.venv-sam/bin/cfn-lint template.yaml --regions us-east-1 eu-central-1
	.venv-checkov/bin/checkov --file template.yaml

build: setup-sam ## build the functions' artifacts for Lambda
	$(SAM) build

hooks: setup setup-sam ## install the pre-commit hook
	$(RUN) pre-commit install

cold-start: setup ## measure the functions' first answer here, compared with a typical function
	$(RUN) python -m tests.aws.cold_start

# ---- The functions' artifacts -------------------------------------------------------------------------------------
# `sam build` runs these targets from here, each with its own ARTIFACTS_DIR. Wheels are installed for Lambda's
# platform, not for this machine (for the tests, LAMBDA_PLATFORM=native changes that). Artifacts contain bytecode,
# because a cold start takes more than twice as long without it; it must be compiled by Lambda's Python version.
LAMBDA_PLATFORM ?= aarch64-manylinux_2_34
LAMBDA_PYTHON ?= 3.13
BYTECODE ?= yes
IS_LAMBDA_PYTHON := import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(LAMBDA_PYTHON)")
COMPILER = $(shell for python in "$(PYTHON)" python$(LAMBDA_PYTHON) "$$($(UV) python find $(LAMBDA_PYTHON) 2>/dev/null)"; do \
	"$$python" -c '$(IS_LAMBDA_PYTHON)' 2>/dev/null && echo "$$python" && break; done)

# Twilio's library needs these only for its asynchronous client, which is not used here.
UNUSED_BY_ALERTS := aiohttp aiohttp-retry
# The voice function only writes TwiML and checks signatures, so Twilio's REST client and its dependencies are left out.
UNUSED_BY_VOICE := $(UNUSED_BY_ALERTS) requests pyjwt

.PHONY: build-VoiceFunction build-AlertsFunction build-DeskFunction build-ForumFunction
build-VoiceFunction:
	$(call install-function,voice,$(UNUSED_BY_VOICE))
	rm -r "$(ARTIFACTS_DIR)/twilio/rest"
	$(call compile-function)

# Of Twilio's forty products these two functions need only the one that sends messages and places calls.
build-AlertsFunction:
	$(call install-function,alerts,$(UNUSED_BY_ALERTS))
	$(call keep-twilio-api)
	$(call compile-function)

build-DeskFunction:
	$(call install-function,desk,$(UNUSED_BY_ALERTS))
	$(call keep-twilio-api)
	$(call compile-function)

# The function that the voice function is compared with, as SAM's own builder would make it: complete packages, no
# bytecode.
build-ForumFunction:
	$(call install-packages,cold-start)
	cp tests/aws/forum_function.py "$(ARTIFACTS_DIR)"

define keep-twilio-api
	find "$(ARTIFACTS_DIR)/twilio/rest" -mindepth 1 -maxdepth 1 -type d ! -name api -exec rm -r {} +
endef

define install-packages
	set -o pipefail; $(UV) export --frozen --quiet --only-group $(1) $(addprefix --prune ,$(2)) | $(UV) pip install --quiet --no-deps \
		--require-hashes --only-binary :all: --python "$(PYTHON)" --python-version $(LAMBDA_PYTHON) \
		$(if $(filter-out native,$(LAMBDA_PLATFORM)),--python-platform $(LAMBDA_PLATFORM)) --target "$(ARTIFACTS_DIR)" -r -
	rm -rf "$(ARTIFACTS_DIR)/bin" "$(ARTIFACTS_DIR)/.lock"
endef

define install-function
	$(call install-packages,$(1),$(2))
	tar -c --exclude __pycache__ shared functions/$(1) | tar -x -C "$(ARTIFACTS_DIR)"
endef

# unchecked-hash: a zip does not keep the file times that Python otherwise compares. Tracebacks get Lambda's paths.
define compile-function
	@test "$(BYTECODE)" = no || test -n "$(COMPILER)" || { echo "No Python $(LAMBDA_PYTHON) was found to compile \
	the functions' bytecode. 'uv python install $(LAMBDA_PYTHON)' installs it; BYTECODE=no skips bytecode." >&2; exit 1; }
	test "$(BYTECODE)" = no || "$(COMPILER)" -m compileall -q -j 0 --invalidation-mode unchecked-hash \
		-s "$(ARTIFACTS_DIR)" -p /var/task "$(ARTIFACTS_DIR)"
endef
