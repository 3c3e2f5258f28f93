# Every target only wraps commands that the README shows.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help venv venv-test test lint

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## Python environment with what the playbooks need
	@tests/ci/venv.sh $(VENV) requirements.txt

venv-test:
	@tests/ci/venv.sh $(VENV) requirements-test.txt

lint: venv-test ## Fast checks only
	@tests/ci/run.sh lint

test: venv-test ## Everything: lint, sanity, unit, integration, build and Molecule
	@tests/ci/run.sh
