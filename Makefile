# Every target only wraps commands that the README shows.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
# Further arguments of ansible-playbook: make up ARGS="-i inventories/vultr --limit web1"
ARGS ?=
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: help venv venv-test up check audit down purge lint test bench

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## Python environment with what the playbooks need
	@tests/ci/venv.sh $(VENV) requirements.txt

venv-test:
	@tests/ci/venv.sh $(VENV) requirements-test.txt

up: venv ## Provision the platform; a second run changes nothing
	@ansible-playbook site.yml $(ARGS)

check: venv ## Show what `make up` would change
	@ansible-playbook site.yml --check --diff $(ARGS)

audit: venv ## Compare plan and host, read-only
	@ansible-playbook playbooks/audit.yml $(ARGS)

down: venv ## Stop the platform; data, secrets and ports are kept
	@ansible-playbook playbooks/teardown.yml $(ARGS)

purge: venv ## Stop it and remove data, secrets and ports, after asking
	@ansible-playbook playbooks/teardown.yml -e purge=true $(ARGS)

lint: venv-test ## Fast checks only
	@tests/ci/run.sh lint changelog

test: venv-test ## Everything: lint, sanity, unit, build, integration and Molecule
	@tests/ci/run.sh

bench: venv-test ## Measure against wait_for and docker compose; `make up` comes first
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; python "$$bench" || exit; done
