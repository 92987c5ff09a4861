# Each target shows the command that it runs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# A shell that forbids bytecode would make every AWS module call half again as slow.
unexport PYTHONDONTWRITEBYTECODE

env ?= local
rows ?= 10000
PYTHON ?=
BIN := .venv/bin
PLAYBOOK := $(BIN)/ansible-playbook
INVENTORY := -i inventories/$(env)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  env=dev or env=stage chooses the inventory of site, plan, verify, outputs and teardown."

.venv/complete: requirements.txt tools/make_venv.sh
	@tools/make_venv.sh $(PYTHON)

.PHONY: venv
venv: .venv/complete ## Make the virtual environment from the hashed requirements

.PHONY: local
local: venv ## The whole system on this machine, a CSV loaded and shown
	$(PLAYBOOK) playbooks/local_cloud.yml -i inventories/local/hosts.yml
	$(PLAYBOOK) playbooks/site.yml -i inventories/local
	$(PLAYBOOK) playbooks/load.yml -i inventories/local -e rows=$(rows)

.PHONY: local-down
local-down: venv ## Stop the local cloud and everything in it
	$(PLAYBOOK) playbooks/local_cloud_down.yml -i inventories/local/hosts.yml

.PHONY: site
site: venv ## Create or converge the environment
	$(PLAYBOOK) playbooks/site.yml $(INVENTORY)

.PHONY: plan
plan: venv ## What `make site` would change, and nothing more
	$(PLAYBOOK) playbooks/site.yml $(INVENTORY) --check --diff

.PHONY: verify
verify: venv ## Prove the whole path of the environment with a probe file
	$(PLAYBOOK) playbooks/verify.yml $(INVENTORY)

.PHONY: outputs
outputs: venv ## Every id, name, ARN and endpoint of the environment
	$(PLAYBOOK) playbooks/outputs.yml $(INVENTORY)

.PHONY: teardown
teardown: venv ## Remove the environment
	$(PLAYBOOK) playbooks/teardown.yml $(INVENTORY)

.PHONY: test
test: venv ## Every check there is
	$(BIN)/python -m pytest

.PHONY: lint
lint: venv ## ansible-lint, yamllint, ruff, mypy
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: bench
bench: venv ## Speed and memory of the importer against its limit and a baseline
	$(BIN)/python -m bench

.PHONY: requirements
requirements: venv ## Compile the requirement files again, with hashes and without index addresses
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.12 --no-emit-index-url --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.13 --no-emit-index-url --no-header files/lambda/requirements.in -o files/lambda/requirements.txt

.PHONY: clean
clean: ## Remove the virtual environment and what was built
	rm -rf .venv .build
