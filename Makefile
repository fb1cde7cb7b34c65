# Everything a person or a machine does with this folder. `make help` lists it.
# Only Python 3.11 (with venv), git and make are needed; pip reads this machine's own configuration.

PYTHON ?= $(firstword $(shell command -v python3.11 python3 2>/dev/null))
VENV   ?= .venv
ARGS   ?=
RUN    := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest
PRODUCT := schemas connectors identity orchestrator web parvis mock_partners partner_sdk/src tools
# tests that talk to nothing but files and their own processes
FAST_TESTS := tests/unit tests/connectors tests/architecture
# files side by side, one more than cores (four at most) for tests that wait, the long ones first
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# the order within a file is shuffled: the same shuffle for everybody; another number finds other dependences
SEED ?= 20181
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
SIZE_REMARKS := C901,PLR0911,PLR0912,PLR0913,PLR0915

# an environment that was made elsewhere (folder moved or copied) is made again
ifneq ($(wildcard $(VENV)/.place),)
ifneq ($(file <$(VENV)/.place),$(CURDIR))
$(shell rm -f $(VENV)/.demo.stamp $(VENV)/.dev.stamp)
endif
endif

INPUTS := tools/bootstrap.py requirements/bootstrap.txt pyproject.toml partner_sdk/pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev demo test keycloak check quick format format-check lint types contracts unit \
        remarks bench bench-journeys bench-relay bench-growth bench-memory bench-hanging campaign coverage requirements changelog clean

help:  ## list what can be done here
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.demo.stamp  ## make the virtual environment (hashed requirements) for the demo

install-dev: $(VENV)/.dev.stamp  ## the same with what tests and checks need

$(VENV)/.demo.stamp: requirements/demo.txt $(INPUTS)
	@$(PYTHON) tools/bootstrap.py $(VENV) $< .
	@printf '%s' '$(CURDIR)' >$(VENV)/.place && touch $@

$(VENV)/.dev.stamp: requirements/dev.txt $(INPUTS)
	@$(PYTHON) tools/bootstrap.py $(VENV) $< . partner_sdk
	@printf '%s' '$(CURDIR)' >$(VENV)/.place && touch $(VENV)/.demo.stamp $@

demo: $(VENV)/.demo.stamp  ## start the whole city and play the story (ARGS="--once --json --data DIR --fresh --port N"; IDP=keycloak: a real one)
	@$(if $(filter keycloak,$(IDP)),$(RUN) tools/keycloak_server.py,:)
	@exec $(RUN) -m parvis.demo $(if $(IDP),--identity $(IDP)) $(ARGS)

test: $(VENV)/.dev.stamp  ## run every suite; as root on Debian, install what tests need (ARGS="-k word", SEED=2: another order)
	@$(RUN) tools/machine.py
	@$(PYTEST) -m "not slow" --randomly-seed=$(SEED) $(SIDE_BY_SIDE) $(ARGS)

keycloak: $(VENV)/.dev.stamp  ## bring the Keycloak of the sign-in tests into the user's cache (177 MB, once)
	@$(RUN) tools/keycloak_server.py

check: format-check lint types contracts unit  ## what a change must pass: format, lint, types, contracts, unit tests

quick: format-check lint contracts  ## the checks that take seconds (for a local hook)
	@$(PYTEST) -q -x tests/unit $(ARGS)

format: $(VENV)/.dev.stamp  ## write the code in the house's format
	@$(RUN) -m ruff format
	@$(RUN) -m ruff check --select I --fix -q

format-check: $(VENV)/.dev.stamp
	@$(RUN) -m ruff format --check --quiet || { echo "make format remet en forme."; exit 1; }

lint: $(VENV)/.dev.stamp  ## ruff, sizes apart
	@$(RUN) -m ruff check --extend-ignore $(SIZE_REMARKS)

types: $(VENV)/.dev.stamp  ## mypy --strict on the product packages
	@$(RUN) -m mypy

contracts: $(VENV)/.dev.stamp  ## who may import whom
	@$(VENV)/bin/lint-imports --no-logo

unit: $(VENV)/.dev.stamp  ## tests without servers, on all cores
	@$(PYTEST) -q -n auto $(FAST_TESTS) $(ARGS)

remarks: $(VENV)/.dev.stamp  ## functions that deserve a second look (fails nothing)
	@$(RUN) -m ruff check --select C901,PLR09 --exit-zero $(PRODUCT)

bench: $(VENV)/.dev.stamp  ## every measure and one table, half an hour (QUICK=1: small; WHOLE=1: hours, 10 M runs)
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks $(if $(QUICK),--quick) $(if $(WHOLE),--whole) $(ARGS)

bench-journeys: $(VENV)/.dev.stamp  ## journeys a second beside other engines (QUICK=1: under 10 minutes)
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks.journeys $(if $(QUICK),--quick) $(ARGS)

bench-relay: $(VENV)/.dev.stamp  ## wakes a second to RabbitMQ, and how soon one arrives
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks.relay $(if $(QUICK),--quick) $(ARGS)

bench-growth: $(VENV)/.dev.stamp  ## the same rate with a past of 1 M runs (WHOLE=1: 10 M)
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks.growth $(if $(WHOLE),--whole) $(ARGS)

bench-memory: $(VENV)/.dev.stamp  ## memory of a worker, and of a run in flight
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks.worker_memory $(if $(QUICK),--quick) $(ARGS)

bench-hanging: $(VENV)/.dev.stamp  ## one of five partners hangs: what the others feel
	@$(RUN) tools/machine.py bench
	@exec $(RUN) -m benchmarks.hanging $(if $(QUICK),--quick) $(ARGS)

campaign: $(VENV)/.dev.stamp  ## the long reliability runs, nothing skipped (an hour; writes docs/evidence/campaign.md)
	@$(RUN) tools/machine.py
	@exec $(RUN) -m tests.reliability.whole $(ARGS)

coverage: $(VENV)/.dev.stamp  ## branch coverage of the product packages
	@$(PYTEST) -m "not slow" $(foreach room,schemas connectors identity orchestrator web parvis,--cov=$(room)) --cov-branch $(ARGS)

requirements: $(VENV)/.dev.stamp  ## compile requirements/*.in into hashes without an address
	@for name in bootstrap main demo dev; do \
	  $(VENV)/bin/uv pip compile -q --generate-hashes --no-header --no-annotate $(ARGS) \
	    $$( [ $$name = demo ] && echo requirements/main.in ) requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

changelog: $(VENV)/.dev.stamp  ## show the next version's changelog from the fragments
	@$(VENV)/bin/towncrier build --draft $(ARGS)

clean:  ## forget the environment and every cache (the demo's folder stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov *.egg-info partner_sdk/src/*.egg-info
