# Callplane's verbs. `make help` lists them. The first verb that needs it makes .venv from the locked
# requirements (Python 3.11 or newer, no root); later runs start at once.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STACKS_VENV := .venv-stacks

# The environment is stamped with a checksum of what defines it, so that a changed lock is installed
# by the next verb and an unchanged one costs nothing.
ENVIRONMENT := $(VENV)/.made-from-$(shell cat requirements/callplane.txt pyproject.toml | cksum | tr ' ' '-')
# The second environment holds Pulumi, which does not live with everything of the first.
STACKS_ENVIRONMENT := $(STACKS_VENV)/.made-from-$(shell cat requirements/stacks.txt | cksum | tr ' ' '-')

.DEFAULT_GOAL := help
.PHONY: help audit sbom demo test test-more check lint types layers fresh format gen golden bench sandbox lock clean tools kstatus sbc-deps promtool engine stacks-environment
.DELETE_ON_ERROR:

help: #? list the verbs
	@awk -F '#[?] ' '/^[a-z-]+:.*#[?]/ { split($$1, verb, ":"); printf "  make %-10s %s\n", verb[1], $$2 }' Makefile

demo: $(ENVIRONMENT) #? tell the whole story in about a minute (KEEP=1 leaves everything running)
	@$(RUN) -m callplane.cli.app demo $(if $(KEEP),--keep)

sandbox: $(ENVIRONMENT) #? start a real Kubernetes API, PostgreSQL, simulators and the operator on this machine
	@$(RUN) -m callplane.cli.app sandbox up

test: tools #? the fast tiers and one path through the real API server (8 minutes warm)
	@$(RUN) tests/tiers.py test

test-more: tools kstatus engine $(STACKS_ENVIRONMENT) #? the remaining tiers: contracts, conformance, end to end, stacks, simulation, chaos
	@$(RUN) tests/tiers.py test-more

# Found or built before the tests start, so that a build of some minutes is seen and times nothing out.
tools: $(ENVIRONMENT)
	@$(RUN) -m callplane.cli.app sandbox prepare > /dev/null

# Another reader of our conditions, for the end-to-end tests.
kstatus: $(ENVIRONMENT)
	@$(RUN) -m callplane.testing.kstatus

# As root it installs Debian packages; otherwise it unpacks them into the cache folder (Debian 12).
sbc-deps: $(ENVIRONMENT) #? provide Kamailio, SIPp and rtpengine for the SIP tests, or say why not
	@$(RUN) -m callplane.testing.sbc_programs

# The same for promtool, which says whether alerts fire when they should.
promtool: $(ENVIRONMENT) #? provide promtool for the tests of alerts, or say why not
	@$(RUN) -m callplane.testing.promtool

# Pulumi's command line, for the stacks' tests: some minutes once, then it is cached.
engine: $(ENVIRONMENT)
	@$(RUN) -m callplane.testing.pulumi_engine > /dev/null

stacks-environment: $(STACKS_ENVIRONMENT) #? make .venv-stacks, the environment of Pulumi programs

check: lint types layers fresh audit #? lint, formatting, types, layers, generated files, advisories where they are at hand

lint: $(ENVIRONMENT)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

types: $(ENVIRONMENT) $(STACKS_ENVIRONMENT)
	@$(VENV)/bin/mypy
	@$(STACKS_VENV)/bin/mypy --config-file stacks/mypy.ini

layers: $(ENVIRONMENT)
	@$(VENV)/bin/lint-imports --no-logo

fresh: $(ENVIRONMENT)
	@$(RUN) -m callplane.apis.generate --check
	@$(RUN) -m callplane.deployment.generate --check
	@$(RUN) -m callplane.server.generate --check

format: $(ENVIRONMENT) #? format the code and sort its imports
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

gen: $(ENVIRONMENT) #? write crds/, schemas/, the fields in docs/kinds/ and the operator's manifests
	@$(RUN) -m callplane.apis.generate
	@$(RUN) -m callplane.deployment.generate
	@$(RUN) -m callplane.server.generate

golden: $(ENVIRONMENT) #? accept changed golden plans, once you have looked at them (never in CI)
	@CALLPLANE_ACCEPT_GOLDEN=1 $(RUN) -m pytest -q tests/golden
	@git --no-pager diff --stat -- tests/golden

bench: $(ENVIRONMENT) #? run one benchmark, for example BENCH=plan; benchmarks/README.md names them
	@test -f "benchmarks/$(BENCH).py" || { \
	  echo "make bench BENCH=name, where name is one of:" $(filter-out stage bare_loop,$(basename $(notdir $(wildcard benchmarks/*.py)))); exit 2; }
	@$(RUN) benchmarks/$(BENCH).py

lock: $(ENVIRONMENT) #? resolve the locks anew from pyproject.toml and requirements/*.in
	@sh requirements/lock.sh $(VENV)

# Without a database of advisories it says so in one line; checks need no network.
audit: $(ENVIRONMENT) #? compare the locks with advisories, where CALLPLANE_ADVISORIES names some
	@$(RUN) requirements/audit.py

sbom: $(ENVIRONMENT) $(STACKS_ENVIRONMENT) #? write build/sbom-*.json (CycloneDX) and print every dependency with its licence
	@mkdir -p build
	@$(VENV)/bin/cyclonedx-py environment --output-reproducible --of JSON --pyproject pyproject.toml \
	  -o build/sbom-callplane.json $(RUN)
	@$(VENV)/bin/cyclonedx-py environment --output-reproducible --of JSON -o build/sbom-stacks.json $(STACKS_VENV)/bin/python
	@$(RUN) requirements/licences.py build/sbom-callplane.json build/sbom-stacks.json

clean: #? remove caches of linters and tests (not .venv, not the tools' cache)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist

$(ENVIRONMENT):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "Callplane needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making $(VENV) from requirements/callplane.txt (a minute or two, once)"
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/callplane.txt
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.made-from-*
	@touch $@

$(STACKS_ENVIRONMENT):
	@echo "Making $(STACKS_VENV) from requirements/stacks.txt (some minutes, once)"
	@test -x $(STACKS_VENV)/bin/pip || $(PYTHON) -m venv $(STACKS_VENV)
	@$(STACKS_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/stacks.txt
	@rm -f $(STACKS_VENV)/.made-from-*
	@touch $@
