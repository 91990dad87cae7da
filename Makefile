# Everything a person or a machine does with this repository. `make help` lists it.

VENV := .venv/bin
PYTEST_ARGS ?=
CALLS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo bench bench-quick bench-speed bench-scale bench-gate bench-setup test parity check lint types imports format lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make .venv with everything to work on Stillwatch
	@tools/setup.sh dev

demo:  ## simulate a day of traffic with two hidden campaigns and find them
	@tools/setup.sh base
	@$(VENV)/stillwatch demo --out build/demo --force $(if $(CALLS),--calls $(CALLS))

# Two tasks at a time, each in a process of one thread.
BENCH := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(VENV)/python -m bench.quality

bench: setup  ## measure detection on every scenario, beside its baselines (under an hour on two cores; goes on where it stopped)
	@$(BENCH) --profile full

bench-quick: setup  ## measure a small part of that in minutes and compare with the pinned figures
	@$(BENCH)

bench-speed: bench-setup  ## time a day of CALLS calls, the sketch beside its peers, and the run beside what one would assemble
	@$(VENV)/python bench/detection.py $(if $(CALLS),--calls $(CALLS))
	@$(VENV)/python -m bench.sketching
	@$(VENV)/python -m bench.assembled

bench-scale: bench-setup  ## time a campaign of 16 million calls replayed in 2, 20 and 176 million (goes on where it stopped)
	@$(VENV)/python -m bench.scale

bench-gate: setup  ## time the gate beside its yardsticks, and ask whom it stops (goes on where it stopped)
	@$(VENV)/python -m bench.gate
	@$(VENV)/python -m bench.immunisation

bench-setup:
	@tools/setup.sh bench

test: setup  ## run every test
	@$(VENV)/python -m pytest -q -n auto --dist loadfile $(PYTEST_ARGS)

parity: setup  ## run each scene on Spark by itself, beside the embedded engine (ten minutes)
	@$(VENV)/python -m pytest -q tests/parity --every-scene $(PYTEST_ARGS)

check: lint types imports test bench-quick  ## lint, types, import contracts, tests, and a small benchmark beside its pinned figures

lint: setup
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .

types: setup
	@$(VENV)/mypy

imports: setup
	@$(VENV)/lint-imports --no-logo

format: setup  ## let ruff write what it can put right
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

# The options keep every package index out of the files, so that they work behind any mirror.
UV := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate

lock:  ## resolve requirements/*.in again (needs uv)
	$(UV) requirements/base.in -o requirements/base.txt
	$(UV) requirements/dev.in -c requirements/base.txt -o requirements/dev.txt
	$(UV) requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(UV) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	$(UV) requirements/gateways.in -o requirements/gateways.txt

clean:  ## remove what was made, except .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
