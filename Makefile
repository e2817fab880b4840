# The only list of commands. Each target sets up what it needs; `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8000
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help book serve test lab notebooks test-portable mutants bench release instructors lock clean

help:  ## list the commands
	@echo "From One Neuron to a Large Model"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' \
	  $(MAKEFILE_LIST)

# A rerun installs again only when the lock or the package's metadata has changed.
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make $(or $(MAKECMDGOALS),book) PYTHON=python3.12"; \
	  exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "Python's venv module is missing (Debian: apt install python3-venv)."; \
	  exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

book: $(STAMP)  ## build the book to _build/html, warnings as errors
	$(BIN)/python tools/assets.py
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html,"
	@echo "or run 'make serve' and open http://localhost:$(PORT)."

serve: book  ## build the book and serve it on localhost (PORT=8000)
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# --dist loadscope keeps a notebook's cells on one worker, in order.
test: book  ## run every test: notebooks, package, doctests, the built book
	$(PYTEST) -n auto --dist loadscope --nbval --nbval-cell-timeout 300 \
	  --doctest-modules notebooks src tests

lab: $(STAMP)  ## open JupyterLab with the kernel ready
	$(BIN)/jupyter lab notebooks

notebooks: $(STAMP)  ## execute the changed notebooks, or one: NAME=01_activations
	$(BIN)/python tools/notebooks.py $(NAME)

test-portable: $(STAMP)  ## instruction sets, versions of jax, Colab (LEG=avx for one)
	$(BIN)/python tools/portable.py $(if $(LEG),--leg $(LEG))

mutants: $(STAMP)  ## sow faults in the package: do the tests notice?
	$(BIN)/python tools/mutants.py

bench: $(STAMP)  ## time the package next to its peers, and grading (15 minutes)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/long_recipe.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/page.py

release: $(STAMP)  ## wheel, sources, site and PDF of this version into dist/
	$(BIN)/python tools/release.py --check
	rm -rf _build/html
	$(MAKE) book
	$(BIN)/python tools/release.py

instructors: $(STAMP)  ## the book with solutions, to _build/instructors/html
	$(BIN)/python tools/instructors.py

lock: $(STAMP)  ## write requirements.txt anew (UPGRADE=1 for newer versions)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --custom-compile-command "make lock" --python-version 3.11 --extra dev \
	  $(if $(UPGRADE),--upgrade) --output-file requirements.txt pyproject.toml

clean:  ## remove what the other targets made
	rm -rf $(VENV) _build .cache .portable .bench .mutants dist
