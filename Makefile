# GNU make. Everything runs in one virtual environment; only Python, git and make must be there before.

VENV ?= .venv
PORT ?= 8000
COLAB_VENV ?= .venv-colab
COLAB_PYTHON ?= python3.13

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11 python3.10; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; break; }; done)

BIN := $(VENV)/bin
ENV := $(VENV)/.installed
NOTEBOOKS := $(wildcard book/*/*.ipynb)
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -p no:cacheprovider

# What the executed pages depend on besides their own text: the code, the measured figures, the installed versions.
# jupyter-cache looks at the page alone, so a change here must throw its results away.
KEY = { find adlib data/results data/weights -type f ! -name '*.pyc' | LC_ALL=C sort | xargs cksum; \
	ls -d $(VENV)/lib/python*/site-packages/*.dist-info; } | cksum
# What decides which pages there are and how they are rendered. A change here renders them all, but executes none.
LOOK = { cat _toc.yml _config.yml book/_static/*; echo $(NOTEBOOKS); } | cksum

# Everything that the tests of the package can see.
SEEN = { find . -path './.git' -prune -o -path './.venv*' -prune -o -path './$(VENV)' -prune -o -path ./_build -prune \
	-o -path ./data/cache -prune -o -name __pycache__ -prune -o -name '.*_cache' -prune -o -name .hypothesis -prune \
	-o -type f -print | LC_ALL=C sort | xargs cksum; echo "$$ADLIB_DATA"; $(KEY); } | cksum
BROWSERS = command -v chromium chromium-browser google-chrome google-chrome-stable; echo "$$CHROMIUM"

.DEFAULT_GOAL := help
.NOTPARALLEL: # two heavy jobs on two cores are many times slower than one after the other
.DELETE_ON_ERROR:
.PHONY: help book test serve notebooks weights bench lint unit unit-once export-check nbval browser colab clean forget-stale

help: ## list the targets
	@echo "make TARGET [PYTHON=python3.12] [VENV=.venv]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(ENV): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "adlib needs Python 3.10 to 3.13, and none was found; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "adlib needs Python 3.10 to 3.13, but PYTHON=$(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): a few minutes the first time, and about 6 GB where PyTorch comes with CUDA."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

forget-stale: $(ENV)
	@mkdir -p _build
	@key=$$($(KEY)); if [ "$$key" != "$$(cat _build/key 2>/dev/null)" ]; then rm -rf _build; mkdir _build; echo "$$key" > _build/key; fi

# Sphinx tells a warning only when it reads the page again, so a build that failed, or never ended, must be read anew.
book: forget-stale ## execute and render the book, print where to open it
	@look=$$($(LOOK)); [ "$$look" = "$$(cat _build/passed 2>/dev/null)" ] || rm -rf _build/.doctrees _build/html
	@rm -f _build/passed
	@$(BIN)/jupyter-book build -n -W --keep-going .
	@$(LOOK) > _build/passed
	@printf '\nThe book is ready. Open %s\nor run `make serve` and open http://127.0.0.1:$(PORT)/\n' "file://$(CURDIR)/_build/html/index.html"

# The cheap failures first. What passed, and can see no change since, is not run again; `make clean` forgets that.
test: lint unit-once export-check book nbval browser ## set up and run everything: lint, tests, notebooks, book, browser
	@echo "make test: all passed"

lint: $(ENV) ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit: $(ENV) ## the tests of the package
	$(BIN)/pytest tests --ignore=tests/benchmarks --ignore=tests/test_book.py

unit-once: forget-stale
	@seen=$$($(SEEN)); \
		if [ "$$seen" = "$$(cat _build/tested 2>/dev/null)" ]; then echo "tests: nothing changed since they passed"; exit 0; fi; \
		$(MAKE) --no-print-directory unit && echo "$$seen" > _build/tested

export-check: $(ENV)
	$(BIN)/python tools/export_notebooks.py --check

nbval: forget-stale ## run every exported notebook and compare its checked cells
	@mkdir -p _build/nbval
	@for notebook in $(NOTEBOOKS); do \
		stamp=_build/nbval/$$(git hash-object $$notebook); \
		if [ -f $$stamp ]; then echo "$$notebook: nothing changed since it passed"; continue; fi; \
		echo "pytest --nbval-lax $$notebook"; \
		$(BIN)/pytest $(NBVAL) $$notebook || exit 1; \
		touch $$stamp; \
	done

# Without a browser the test is skipped, and that is not remembered.
browser: $(ENV) ## read the built book in a headless Chromium
	@browsers=$$($(BROWSERS)); \
		state=$$({ find _build/html tests/test_book.py -type f | LC_ALL=C sort | xargs cksum; echo "$$browsers"; } | cksum); \
		if [ "$$state" = "$$(cat _build/browsed 2>/dev/null)" ]; then echo "browser: nothing changed since it passed"; exit 0; fi; \
		echo "pytest tests/test_book.py"; \
		$(BIN)/pytest tests/test_book.py || exit 1; \
		[ -z "$$browsers" ] || echo "$$state" > _build/browsed

serve: book ## serve the book on this machine
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

notebooks: $(ENV) ## export the pages to .py and .ipynb, carry the address into the README
	$(BIN)/python tools/export_notebooks.py

weights: $(ENV) ## train the flow network anew, a quarter of an hour on one core
	$(BIN)/python tools/train_flow.py

bench: $(ENV) ## measure the speeds the project promises
	$(BIN)/pytest tests/benchmarks -s

$(COLAB_VENV)/colab.txt: tools/colab-constraints.txt
	@$(COLAB_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { echo "Colab runs Python 3.13; name one: make colab COLAB_PYTHON=/path/to/python3.13" >&2; exit 1; }
	@echo "Setting up $(COLAB_VENV) with the versions of Colab: a few minutes."
	@test ! -e $(COLAB_VENV) || test -f $(COLAB_VENV)/pyvenv.cfg || { echo "COLAB_VENV=$(COLAB_VENV) is there and is no virtual environment" >&2; exit 1; }
	@$(COLAB_PYTHON) -m venv --clear $(COLAB_VENV)
	@$(COLAB_VENV)/bin/python -m pip install -qq --disable-pip-version-check -r tools/colab-constraints.txt
	@$(COLAB_VENV)/bin/python -m pip freeze | LC_ALL=C sort > $@

colab: $(COLAB_VENV)/colab.txt ## run the exported notebooks with the versions of Colab (needs Python 3.13)
	@$(COLAB_VENV)/bin/python -m pip install -qq --disable-pip-version-check . jupyterquiz nbval
	@changed=$$($(COLAB_VENV)/bin/python -m pip freeze | LC_ALL=C sort | LC_ALL=C comm -23 $(COLAB_VENV)/colab.txt -); \
		if [ -n "$$changed" ]; then echo "installing adlib replaced versions that Colab has:" $$changed >&2; exit 1; fi
	@echo "installing adlib left every version of Colab as it was"
	@for notebook in $(NOTEBOOKS); do \
		echo "pytest --nbval-lax $$notebook (Colab's versions)"; \
		$(COLAB_VENV)/bin/python -m pytest $(NBVAL) $$notebook || exit 1; \
	done

clean: ## remove what was built; the environments stay
	rm -rf _build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find adlib tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
