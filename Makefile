# Everything this project does on a machine. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
# Which lock to install: with an NVIDIA driver the CUDA one, else the CPU one.
COMPUTE ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-$(COMPUTE)
DEV := $(VENV)/.dev-$(COMPUTE)
PYTEST := $(BIN)/python -m pytest

.PHONY: help run test check format lint types imports cover browser bench train-micro screenshots lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: $(RUNTIME) ## Open a local chat with the bot; with BOT_TOKEN set, serve Telegram
	@exec $(BIN)/python launch.py

test: $(DEV) browser ## The tests, but for those that kill for minutes, train or score
	$(PYTEST) -m "not long"

check: lint types imports cover ## Format, lint, types, import rules, all tests with coverage

lint: $(DEV) ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(DEV) ## mypy --strict, tests included
	$(BIN)/mypy

imports: $(DEV) ## The arrows of the design
	$(BIN)/lint-imports

cover: $(DEV) browser ## All tests, with branch coverage and its floor
	$(PYTEST) --cov --cov-report=term

format: $(DEV) ## Let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## Every speed and size we claim, as ratios measured side by side
	$(BIN)/python -m benchmarks

train-micro: $(DEV) ## Train the embedded micro model from nothing into weights/micro
	$(BIN)/python -m training

screenshots: $(DEV) browser ## Take the README's pictures anew
	$(BIN)/python -m scripts.screenshots

lock: ## Resolve pyproject.toml anew into requirements/*.lock
	$(PYTHON) scripts/lock.py

clean: ## Remove the virtual environment and caches (data/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

browser: # The browser tests drive a Chromium that the system provides.
	@command -v chromium >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
	    && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-color-emoji; } \
	  || echo "No chromium here: the browser tests will be skipped. Install it: apt-get install chromium"

$(RUNTIME): requirements/$(COMPUTE).lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing. Install it: apt-get install python3-venv"; exit 1; }
	@ls $(VENV)/.runtime-* 2>/dev/null | grep -qv -- '-$(COMPUTE)$$' && rm -rf $(VENV) || true
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) (once; a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/$(COMPUTE).lock
	@touch $@

$(DEV): requirements/dev.lock $(RUNTIME)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	@touch $@
