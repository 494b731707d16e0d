# Thin names over real tools; `make` alone lists them.
PYTHON  ?= python3
PROFILE ?= laptop
RUN_DIR ?=
REPOSITORY ?=
WHERE   ?= local
WORKERS ?= 2
VENV    := .venv
PY      := $(VENV)/bin/python
STAMP   := $(VENV)/.installed
TESTS    = $(PY) -m pytest -n $(WORKERS) --dist loadfile

# What a user names goes to programs as it was typed, not through make's and the shell's quotes.
export NAMED_PROFILE := $(value PROFILE)
export NAMED_RUN_DIR := $(value RUN_DIR)
export NAMED_REPOSITORY := $(value REPOSITORY)

# Where real videos are; make's variables reach the recipes only when exported.
export UCF101_ROOT UCF101_LISTS HMDB51_ROOT KINETICS400_ROOT TB_DATA TB_RUNS

# A virtual environment that someone activated must not leak into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install book html pdf test check test-nightly test-install fuzz scorecard lab reproduce \
  notebooks lint clean beside

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PROFILE=laptop|smoke|laptop-study|ucf101…  RUN_DIR=…  PLAN=1  WHERE=local|slurm"
	@echo "  UCF101_ROOT=…  PYTHON=python3.11  REPOSITORY=https://… (launch buttons of the book)"

book: reproduce html  ## run the whole pipeline (PROFILE=laptop) and render the book from it

check: install  ## lint and the fast tests, in under three minutes: before each commit
	$(PY) -m ruff check .
	$(TESTS) -m "not slow and not nightly"

test: install  ## run every test: unit, notebooks, book; WORKERS=2 processes, 2 GB of memory each
	$(TESTS)

test-nightly: install  ## run the long fault tests as well: 100 kills, every write point, deep fuzzing
	$(PY) -m pytest tests/faults -m "nightly or not nightly"

scorecard: install  ## test-nightly and the book's tests; writes results/reliability.json; ONLY=tests/…
	TB_SCORECARD=1 $(PY) -m pytest $(or $(ONLY),tests/faults tests/book) -m "nightly or not nightly"

fuzz: install  ## look for files that break a reader, led by coverage; SECONDS=300 for each reader
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt atheris
	TB_SCORECARD=1 $(PY) tests/faults/fuzz.py --seconds $(or $(SECONDS),300)

test-install: install  ## clone, install anew (5 GB) and run chapter 1; UNPINNED=1: with newest versions
	rm -rf _build/clone
	git clone --quiet . _build/clone
	$(if $(UNPINNED),: > _build/clone/constraints.txt)
	$(MAKE) -C _build/clone install
	cd _build/clone && .venv/bin/python -m tblib run 1 --run-dir run
	cd _build/clone && .venv/bin/python -m pytest -q tests/methods/test_losses.py tests/engine/test_loop.py

reproduce: install  ## run the chapters of PROFILE; goes on where it stopped; PLAN=1 only tells
	@$(PY) workflow/run.py --profile="$$NAMED_PROFILE" --run-dir="$$NAMED_RUN_DIR" \
	  --where "$(WHERE)" $(if $(PLAN),--plan)

html: install  ## render the book from the results of PROFILE, without running anything
	@$(PY) book/build.py --profile="$$NAMED_PROFILE" --run="$$NAMED_RUN_DIR" \
	  --repository="$$NAMED_REPOSITORY"

pdf: install  ## print the rendered book to _build/timebalance.pdf; needs Chromium
	@$(PY) book/pdf.py

lab: install  ## open the notebooks in JupyterLab; .py and .ipynb stay paired; PORT=… BROWSER=no
	@$(PY) workflow/lab.py $(if $(PORT),--port $(PORT)) \
	  $(if $(filter no,$(BROWSER)),--no-browser)

notebooks: install  ## regenerate every .ipynb from its .py, with the outputs of the smoke profile
	$(PY) -m tblib.lesson.pairing

lint: install  ## check style
	$(PY) -m ruff check .

clean:  ## delete the rendered book and caches; runs, data and the environment stay
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

install: beside  ## create .venv with the exact tested versions

beside: $(STAMP)
	@$(PY) workflow/beside.py

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with PYTHON=python3.11."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,test]'
	@touch $@
