# Everything runs from a fresh checkout; `make help` lists it. Each target says what it is doing, and how long that took.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHES := .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist
SUITE := tests/unit tests/worker tests/listener tests/operator tests/e2e

# $(call timed,what is done,command)
define timed
	@began=$$SECONDS; echo "== $(1)"; $(2) || exit; echo "== $(1): $$((SECONDS - began)) s"
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/made: requirements.lock pyproject.toml
	$(call timed,creating $(VENV) with $$($(PYTHON) --version),$(PYTHON) -m venv $(VENV))
	$(call timed,installing what requirements.lock names,$(BIN)/pip install --quiet --requirement requirements.lock)
	$(call timed,installing the project,$(BIN)/pip install --quiet --no-deps --editable .)
	@touch $@

.PHONY: lock
lock: ## choose new versions of everything the project needs, into requirements.lock
	$(call timed,providing uv,test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet uv; })
	$(call timed,resolving,$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--group dev --group bench --group examples --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock pyproject.toml)

.PHONY: lint
lint: $(VENV)/made ## style, types, and which part may import which
	$(call timed,ruff: rules,$(BIN)/ruff check --quiet)
	$(call timed,ruff: format,$(BIN)/ruff format --quiet --check)
	$(call timed,mypy,$(BIN)/mypy)
	$(call timed,import-linter,$(BIN)/lint-imports --cache-dir .import_linter_cache)

.PHONY: up
up: $(VENV)/made ## the test cluster (built once, in minutes; then it takes seconds)
	$(call timed,test cluster,$(BIN)/python -m tests.cluster up)

.PHONY: down
down: $(VENV)/made ## end the test cluster; what was built for it stays
	$(call timed,ending the test cluster,$(BIN)/python -m tests.cluster down)

.PHONY: images
images: up ## build the images and load them into the test cluster
	$(call timed,images,$(BIN)/python -m tests.e2e.installation images)

.PHONY: test
test: lint up images ## everything that must hold: lint, then all tests, on the test cluster
	@echo "== tests"
	@$(BIN)/pytest $(SUITE)

.PHONY: unit
unit: $(VENV)/made ## the tests that need no cluster
	@$(BIN)/pytest tests/unit tests/worker

.PHONY: soak
soak: images ## the end-to-end tests with their whole durations (most of an hour)
	@WEBGARDEN_SOAK=1 $(BIN)/pytest tests/e2e

.PHONY: bench
bench: images ## print figures, each beside a floor or a peer measured in the same run
	@$(BIN)/python -m tests.bench

.PHONY: demo
demo: images ## a pool that sleeps, wakes, is recycled under load and sleeps again
	@$(BIN)/python -m tests.e2e.demo

.PHONY: crds
crds: $(VENV)/made ## write the CRDs, the chart's schema and the reference from the models
	$(call timed,writing the CRDs,$(BIN)/python -m webgarden.api.crd crds charts/webgarden/files/crds)
	$(call timed,writing the schema of the chart's values,$(BIN)/python -m webgarden.api.values charts/webgarden/values.schema.json)
	$(call timed,writing the reference,$(BIN)/python -m webgarden.api.reference docs/reference.md)

MADE := $(wildcard /var/lib/webgarden-cluster $(HOME)/.cache/webgarden)# a cluster, or what was built for one

.PHONY: clean
clean: $(if $(MADE),$(VENV)/made) ## end the cluster and remove what was made in the checkout; PURGE=1: what was built for the cluster, too
	$(if $(MADE),$(call timed,ending the test cluster,$(BIN)/python -m tests.cluster down $(if $(PURGE),--purge)))
	$(if $(PURGE),@rm -rf $(HOME)/.cache/webgarden)
	$(call timed,removing $(VENV) and caches,rm -rf $(VENV) $(CACHES) && \
		find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +)
