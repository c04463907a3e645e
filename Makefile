# `make demo` and `make test` work from a fresh clone: each sets up first what is not there yet.
PYTHON ?= python3
SHELL := /bin/sh
CLUSTER_TESTS := tests/system/test_stream_on_cluster.py tests/pipeline/test_cluster.py tests/pipeline/test_stream.py
# Flows that take minutes: backfills, repairs, checks, every fault that is told, the stream on a real broker.
THOROUGH := $(wildcard notebooks/*.ipynb) \
  $(patsubst %,tests/pipeline/test_%.py,alerts_of_the_stream corrections earlier_version erasure expectations gold_backfill \
    insights late_repeats loud_faults maintenance quarantine reconcile silver_backfill) \
  $(patsubst %,tests/system/test_%.py,broker loud_faults_on_kafka producer second_opinion secured_kafka stream_on_kafka two_writers)

.PHONY: help setup setup-bench demo test test-thorough test-cluster test-kills test-faults test-hostile test-slow test-fresh-clone check lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s%s\n", $$1, $$2}'

setup: ## environment, JARs and settings for Spark, in this folder alone
	@$(PYTHON) -m infra.set_up run

setup-bench: ## what the benchmark's other contestants need, in .local/peers
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m infra.bench.peers

demo: setup ## dummy transactions through a real broker and the real stream, then a summary
	@.venv/bin/momo demo

test: ## the suite in a quarter of an hour, tests on the real broker included
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m pytest $(addprefix --ignore=,$(THOROUGH))

test-thorough: ## the flows that make test leaves out, for they take twice as long again
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m pytest $(THOROUGH)

test-cluster: ## the pipeline's tests again, with executors that are processes of their own
	@$(PYTHON) -m infra.set_up dev
	@MOMO_TEST_MASTER='local-cluster[2,1,2048]' .venv/bin/python -m pytest -n 0 -m '' $(CLUSTER_TESTS)

test-hostile: ## two million spoiled records through the producer's check and the stream's rules
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m tests.hostile

SEEDS ?= 1,2,3
CYCLES ?= 40
test-faults: ## kills, stalls and full disks, then CYCLES random faults for each of SEEDS (an hour)
	@$(PYTHON) -m infra.set_up dev
	@MOMO_FAULT_SEEDS=$(SEEDS) MOMO_FAULT_CYCLES=$(CYCLES) .venv/bin/python -m pytest -n 0 -m faults tests/system/faults

test-kills: ## four of the kills of test-faults, between two writes of a batch
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m pytest -n 0 -m faults -k "committed or (gold and recorded)" tests/system/faults/test_kills_at_points.py

test-slow: ## what runs for minutes: backfills against and beside a busy stream
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m pytest -n 0 -m slow tests

test-fresh-clone: ## make demo, twice, in a fresh clone of what is committed
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/python -m pytest -n 0 -m fresh_clone tests/test_fresh_clone.py

check: ## lint and types
	@$(PYTHON) -m infra.set_up dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

UV_COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: ## renew requirements/*.txt from pyproject.toml
	@$(UV_COMPILE) pyproject.toml -o requirements/run.txt
	@$(UV_COMPILE) --extra dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	@$(UV_COMPILE) requirements/java.in -o requirements/java.txt
	@$(UV_COMPILE) requirements/uv.in -o requirements/uv.txt
	@$(UV_COMPILE) requirements/peers.in -o requirements/peers.txt

clean: ## take away everything that set-up and demo made
	@-.venv/bin/momo broker stop 2>/dev/null
	@rm -rf .venv .local
