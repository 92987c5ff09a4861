# Each target shows the command that it runs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# A shell that forbids bytecode would make every AWS module call half again as slow.
unexport PYTHONDONTWRITEBYTECODE

# Ansible needs UTF-8, and in such a shell says no more than that.
ifneq (,$(filter C POSIX,$(LC_ALL)))
export LC_ALL := C.UTF-8
endif

env ?= local
rows ?= 10000
PYTHON ?=
BIN := .venv/bin
PLAYBOOK := $(BIN)/ansible-playbook
INVENTORY := -i inventories/$(env)
# Two processes: tests/conftest.py says what stays together. The longest come first.
SIDE_BY_SIDE := --numprocesses 2 --dist loadscope --no-loadscope-reorder --durations 20
# The folders of tests that run Python rather than playbooks.
COVERED := $(addprefix tests/,critical_path filters importer policies posture proposals sample_data secrets structure)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  env=dev or env=stage chooses the inventory of site, plan, verify, status, outputs and teardown."

.venv/complete: requirements.txt tools/make_venv.sh
	@tools/make_venv.sh $(PYTHON)

.PHONY: venv
venv: .venv/complete ## Create the virtual environment from the hashed requirements

.PHONY: local
local: venv ## The whole stack on this machine, a CSV loaded and shown
	$(PLAYBOOK) playbooks/local_cloud.yml -i inventories/local/hosts.yml
	$(PLAYBOOK) playbooks/site.yml -i inventories/local
	$(PLAYBOOK) playbooks/load.yml -i inventories/local -e rows=$(rows) -e load_show=5

.PHONY: local-down
local-down: venv ## Stop the local cloud and everything in it
	$(PLAYBOOK) playbooks/local_cloud_down.yml -i inventories/local/hosts.yml

.PHONY: local-mail
local-mail: venv ## Open the links of confirmations in the local cloud's e-mails, and show all e-mails
	$(BIN)/python tools/local_mail.py --confirm

.PHONY: site
site: venv ## Create or converge the environment
	$(PLAYBOOK) playbooks/site.yml $(INVENTORY)

.PHONY: plan
plan: venv ## Show what `make site` would change
	$(PLAYBOOK) playbooks/plan.yml $(INVENTORY) || [ $$? -eq 10 ]

.PHONY: verify
verify: venv ## Verify the whole path of the environment with a probe file
	$(PLAYBOOK) playbooks/verify.yml $(INVENTORY)

.PHONY: status
status: venv ## What is going on in the environment, and the next command for what there is to do
	$(PLAYBOOK) playbooks/status.yml $(INVENTORY)

.PHONY: outputs
outputs: venv ## Every id, name, ARN and endpoint of the environment
	$(PLAYBOOK) playbooks/outputs.yml $(INVENTORY)

.PHONY: teardown
teardown: venv ## Remove the environment
	$(PLAYBOOK) playbooks/teardown.yml $(INVENTORY)

.PHONY: dataset
dataset: venv ## Propose the descriptor of a CSV file, for you to edit: make dataset name=orders csv=FILE
	$(BIN)/python tools/propose_dataset.py --name "$(name)" "$(csv)"

.PHONY: test
test: venv ## Every test except those that take many minutes each
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

.PHONY: test-all
test-all: venv ## Every test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

.PHONY: coverage
coverage: venv ## Which lines of the importer, the tools and the roles' filters the quick tests cover
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(COVERED) --cov

.PHONY: lint
lint: venv ## ansible-lint, yamllint, ruff, mypy, secrets, generated tables, changelog, workflows
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline
	$(BIN)/python tools/permissions.py --check
	$(BIN)/python tools/fidelity.py --check
	$(BIN)/python tools/dataset_tables.py --check
	$(BIN)/antsibull-changelog lint
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

.PHONY: secrets-baseline
secrets-baseline: venv ## Accept what detect-secrets finds now as no secret (look at the difference before you commit it)
	$(BIN)/detect-secrets scan --slim --exclude-files '(^|/)requirements[^/]*\.txt$$' --exclude-files '\.pem$$' --exclude-files '^\.secrets\.baseline$$' > .build/secrets.baseline
	mv .build/secrets.baseline .secrets.baseline

# The environments of audit, scan and of what scans the status page: what they need does not go together with requirements.txt.
.build/%/complete: requirements-%.txt .venv/complete
	$(BIN)/uv venv --quiet --clear .build/$* --python $(BIN)/python
	$(BIN)/uv pip install --quiet --python .build/$*/bin/python --require-hashes -r $<
	@touch $@

# Not requirements-scan.txt: prowler pins what it needs, so that only a new prowler could fix what is found there.
.PHONY: audit
audit: venv .build/audit/complete ## Known vulnerabilities of the requirements (asks PyPI)
	.build/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.txt -r files/lambda/requirements.txt -r requirements-audit.txt

.PHONY: sbom
sbom: venv ## What the function's zip consists of, as CycloneDX
	$(BIN)/python tools/sbom.py .build/csv-to-aurora-$(env)-importer.zip .build/sbom.json

.PHONY: scan
scan: venv .build/scan/complete ## prowler over the running local cloud (takes long)
	AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_SHARED_CREDENTIALS_FILE=.local/aws/root AWS_PROFILE=root .build/scan/bin/prowler aws --no-banner --ignore-exit-code-3 --region eu-west-1 --service ec2 rds s3 awslambda iam secretsmanager --scan-unused-services --output-formats csv --output-directory .build/scan/results --output-filename findings
	$(BIN)/python tools/scan.py .build/scan/results/findings.csv

.PHONY: bench
bench: venv ## Speed, memory, latency and cost of the importer, against its limit and a baseline
	$(BIN)/python -m bench

.PHONY: bench-run
bench-run: venv ## Time of runs without changes against another commit: make bench-run base=COMMIT
	$(BIN)/python -m bench.playbooks $(base)

.PHONY: screenshots
screenshots: venv ## The picture of the status page in the documentation
	$(BIN)/python -m bench.status_page picture docs/status_page.png

.PHONY: requirements
requirements: venv ## Compile the requirement files again, with hashes and without index addresses
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.12 --no-emit-index-url requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.12 --no-emit-index-url requirements-audit.in -o requirements-audit.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.12 --no-emit-index-url requirements-page.in -o requirements-page.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.12 --no-emit-index-url requirements-scan.in -o requirements-scan.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.13 --no-emit-index-url files/lambda/requirements.in -o files/lambda/requirements.txt

.PHONY: ca-certificates
ca-certificates: venv ## Update the CA certificates of Amazon RDS from its file: make ca-certificates bundle=FILE
	$(BIN)/python files/certs/refresh.py $(bundle)

.PHONY: clean
clean: ## Remove the virtual environment and what was built
	rm -rf .venv .build
