# Two commands: `make demo` runs a federation on this machine, `make test` runs the tests. Both set up all they need.
PYTHON ?= python3.11
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
BIN := .venv/bin
LOCK := $(UV) pip compile --quiet pyproject.toml --generate-hashes --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links

.PHONY: help demo test lint format golden check-golden locks bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/ready ## A federation on this machine; ARGS="--rounds 5" passes options on
	$(BIN)/wardround demo $(ARGS)

test: .venv/ready ## All tests; ARGS="tests/unit -k name" selects
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

lint: .venv/ready ## Style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

golden: .venv/ready ## Compile the pipelines, and generate the charts' schemas and READMEs, anew
	$(BIN)/python -m pipelines.build
	$(BIN)/python -m helm.build
	$(BIN)/python -m helm.snapshots

check-golden: .venv/ready ## Compare the compiled pipelines and the charts' files with their sources
	$(BIN)/python -m pipelines.build --check
	$(BIN)/python -m helm.build --check
	$(BIN)/python -m helm.snapshots --check

bench: .venv/ready ## All benchmarks, one JSON line each
	$(BIN)/python -m benchmarks.aggregate
	$(BIN)/python -m benchmarks.train
	$(BIN)/python -m benchmarks.rounds
	$(BIN)/python -m benchmarks.preprocess
	$(BIN)/python -m benchmarks.burned_in

locks: $(UV) ## Resolve all locks anew (hashes, no addresses)
	$(LOCK) --extra local --group dev -o locks/main.txt
	$(LOCK) --extra site -c locks/main.txt -o locks/site.txt
	$(LOCK) --extra imaging -c locks/main.txt -o locks/imaging.txt
	$(LOCK) --extra report --extra registry -c locks/main.txt -o locks/coordinator.txt
	$(LOCK) --extra client -c locks/main.txt -o locks/compile.txt
	$(LOCK) --extra compiler -o locks/compiler.txt

.venv/ready: locks/main.txt pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python locks/main.txt
	$(UV) pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## Remove environments and caches (not .wardround, which holds runs)
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
