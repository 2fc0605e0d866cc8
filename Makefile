# Two commands: `make demo` runs a federation on this machine, `make test` runs the tests. Both set up all they need.
PYTHON ?= python3.11
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
BIN := .venv/bin
LOCK := $(UV) pip compile --quiet pyproject.toml --generate-hashes --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links

.PHONY: help demo test fuzz lint format golden check-golden locks bench images images-push images-lock sbom cluster-up cluster-down demo-cluster clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/ready ## A federation on this machine; ARGS="--rounds 5" passes options on
	$(BIN)/wardround demo $(ARGS)

test: .venv/ready ## All tests; ARGS="tests/unit -k name" selects
	$(BIN)/pytest -n 3 --dist loadgroup $(ARGS)

fuzz: .venv/ready .fuzz/ready ## Fuzz one parser of foreign bytes; PARSER="DICOM object" SECONDS=600, names in tests/hostile/parsers.py
	PYTHONPATH=.fuzz $(BIN)/python tests/hostile/fuzz.py "$(or $(PARSER),envelope)" $(or $(SECONDS),60)

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

images: .venv/ready ## Build all images and save them in build/images; NAMES="train control" selects
	$(BIN)/python -m components.build images $(NAMES)

images-push: .venv/ready ## Push the images to REGISTRY; build/images.lock.json then has the digests there
	$(BIN)/python -m components.build push

images-lock: .venv/ready ## Make build/images.lock.json the lock of pipelines and charts
	$(BIN)/python -m components.build lock
	$(BIN)/python -m pipelines.build

cluster-up: .venv/ready ## A cluster on this machine for demo-cluster: kind, Kubeflow Pipelines, the images
	$(BIN)/python -m k8s.kind.up

cluster-down: .venv/ready ## Remove it
	$(BIN)/python -m k8s.kind.up --down

demo-cluster: .venv/ready ## A federation on the cluster of KUBECONFIG; ARGS="--rounds 5", ARGS=--clean
	$(BIN)/python -m k8s.demo $(ARGS)

sbom: .venv-sbom/ready ## What each image holds, as CycloneDX, in build/sbom
	.venv-sbom/bin/python -m components.sbom $(UV) $(NAMES)

locks: $(UV) ## Resolve all locks anew (hashes, no addresses)
	$(LOCK) --extra local --group dev -o locks/main.txt
	$(LOCK) --extra site -c locks/main.txt -o locks/site.txt
	$(LOCK) --extra imaging -c locks/main.txt -o locks/imaging.txt
	$(LOCK) --extra report --extra registry -c locks/main.txt -o locks/coordinator.txt
	$(LOCK) --extra client --extra publish -c locks/main.txt -o locks/compile.txt
	$(LOCK) --extra control -c locks/main.txt -o locks/control.txt
	# botocore needs an older python-dateutil than the rest has; the server's MLflow must stay the clients'.
	grep -oE '^[a-z0-9._-]+==[^ ]+' locks/main.txt | grep -v '^python-dateutil==' \
		| $(LOCK) --extra mlflow-server -c /dev/stdin --override locks/mlflow.without.txt --no-annotate \
			-o locks/mlflow.txt
	$(LOCK) --group sbom -o locks/sbom.txt
	$(LOCK) --group fuzz -o locks/fuzz.txt
	$(LOCK) --extra compiler -o locks/compiler.txt

.venv/ready: locks/main.txt pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python locks/main.txt
	$(UV) pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

.venv-sbom/ready: locks/sbom.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-sbom
	$(UV) pip sync --quiet --require-hashes --python .venv-sbom/bin/python locks/sbom.txt
	@touch $@

.fuzz/ready: locks/fuzz.txt .venv/ready
	$(UV) pip install --quiet --require-hashes --python $(BIN)/python --target .fuzz -r locks/fuzz.txt
	@touch $@

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## Remove environments and caches (not .wardround, which holds runs)
	rm -rf .venv .venv-sbom .fuzz .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
