# Needs Python 3.11 and nothing else. PYTHON chooses the interpreter, VENV the environment's folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HOME_DIR ?= shop

.PHONY: demo test check style install install-dev peers peers-next peers-ads clean

demo: install  ## Open the practice shop, train on it, compare before and after, serve it.
	$(BIN)/shopkeeper --home $(HOME_DIR) demo

test: style  ## Everything: style, types, import order, every test.
	$(BIN)/python -m pytest -n auto --dist loadfile

check: style  ## Style, types, import order, documentation and the fast tests.
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not browser"

style: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

peers: .peers/bm25s/.installed .peers/lancedb/.installed .peers/txtai/.installed  ## Rival search libraries for `python -m bench search-peers`.

NEXT_PEERS := $(foreach peer,implicit cornac rectools recbole,.peers/$(peer)/.installed)

peers-next: $(NEXT_PEERS)  ## Rival recommender libraries for `python -m bench next-peers`.

peers-ads: .peers/obp/.installed  ## obp, for `python -m bench ads-openbandit`.

CONSTRAINED := --constraint constraints.txt
$(NEXT_PEERS) .peers/obp/.installed: CONSTRAINED :=

.peers/%/.installed: bench/peers/%.txt constraints.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python -m pip install --quiet $(CONSTRAINED) --requirement $<
	touch $@

clean:
	rm -rf $(VENV) .peers build dist
