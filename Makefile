# Traceo: `make run` brings the whole product up here, `make test` checks it. Both need only Python >= 3.11.
PYTHON ?= python3
SOURCE ?= $(or $(TRACEO_SOURCE),shop://)
BIN := .venv/bin
# Ports and places are settings: make run TRACEO_AIRFLOW_PORT=8180
export TRACEO_HOME TRACEO_AIRFLOW_PORT TRACEO_MLFLOW_PORT TRACEO_MODEL_SERVER_PORT TRACEO_CONSOLE_PORT TRACEO_LOG_RECEIVER_PORT

.PHONY: help install run test test-server test-slow lint lint-infra images test-containers format docs goldens pipelines bench bench-shop bench-logs bench-anomaly bench-rootcause bench-forecasting lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed ## make .venv from the hashed lock

.venv/installed: requirements.lock infra/images/bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Traceo needs Python 3.11 to 3.13; call make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r infra/images/bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# What every command loads is compiled here, since PYTHONDONTWRITEBYTECODE would have each of them do it anew.
	-cd $(BIN)/../lib/python3.*/site-packages && $(CURDIR)/$(BIN)/python -m compileall -q -j 0 numpy polars pyarrow pydantic scipy pandas sklearn
	@touch $@

run: install ## bring the whole product up; SOURCE=directory|http://host:9090, Ctrl-C stops it
	@$(BIN)/traceo up --source '$(SOURCE)'

test: install ## the tests that need nothing but this checkout (those of infra/ are in lint-infra)
	$(BIN)/python -m pytest --numprocesses 2 --ignore tests/infra

.venv/cluster: cluster.lock .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r cluster.lock
	@touch $@

test-server: install .venv/cluster ## tests with real servers and real data, skipped with a line where they are absent
	$(BIN)/python -m pytest -m 'server and not slow' -rs

test-slow: install ## everything that takes longer, up to the whole stack killed and started again
	$(BIN)/python -m pytest -m slow -rs --timeout 1800

lint: install ## ruff, mypy, import-linter, generated files in sync
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md notebooks/README.md

lint-infra: install ## everything under infra/ against its tool: tests/infra, one file per tool
	infra/lint/tools.sh
	$(BIN)/python -m pytest tests/infra -rs

images: install ## build every component's image; BASE=image to build on, FRESH=1 every layer anew (writes SIZES.md)
	$(BIN)/python -m infra.images.build $(if $(BASE),--base $(BASE)) $(if $(FRESH),--fresh)

test-containers: install ## every step's contract test in its own image, the whole chain in containers (make images first)
	$(BIN)/python -m infra.images.build --test $(if $(BASE),--base $(BASE))
	$(BIN)/python -m pytest -n 0 -m containers tests/containers tests/kfp_pipelines -rs --timeout 1800

format: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install ## generate the tables of the docs anew
	$(BIN)/cog -r README.md notebooks/README.md

goldens: install ## generate the pods that the tests compare with anew; read the difference
	$(BIN)/python -m tests.core.golden_pods

pipelines: install ## generate the Kubeflow wrappers and the compiled pipelines anew
	$(BIN)/python -m kfp_pipelines.wrappers
	env -u TRACEO_IMAGE_PREFIX -u TRACEO_IMAGE_TAG -u TRACEO_POD_SECRET $(BIN)/traceo pipelines compile --output kfp_pipelines/compiled

bench: bench-shop bench-logs bench-anomaly bench-rootcause bench-forecasting ## every benchmark; writes RESULTS.md

bench-shop: install ## are the shop's injected faults found?
	$(BIN)/python -m tests.benchmarks.shop

bench-logs: install ## are log templates right? needs TRACEO_BENCH_DATA
	$(BIN)/python -m tests.benchmarks.logs

bench-anomaly: install ## are anomalies in public series found? needs TRACEO_BENCH_DATA; up to 30 minutes
	$(BIN)/python -m tests.benchmarks.anomaly

bench-rootcause: install ## are the causes of incidents found? needs TRACEO_BENCH_DATA
	$(BIN)/python -m tests.benchmarks.rootcause

bench-forecasting: install ## are forecasts of real series right and calibrated? needs TRACEO_BENCH_DATA; up to 30 minutes
	$(BIN)/python -m tests.benchmarks.forecasting

lock: ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --override requirements.overrides \
		--no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock
	$(BIN)/uv pip compile --group cluster --constraint requirements.lock --universal --generate-hashes --python-version 3.11 \
		--no-header --no-emit-index-url --no-emit-find-links --quiet --output-file cluster.lock

clean: ## remove the environment, caches and all local state
	rm -rf .venv .traceo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
