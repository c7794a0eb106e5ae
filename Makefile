# `make demo` and `make test` work on a fresh machine with Python 3.11-3.13, make and a network: the first target that
# runs creates .venv with the versions in constraints.txt, later ones reuse it. `make help` lists the targets.

PYTHON ?= python3
DEMO_PATTERN ?= examples/anatase.xy
DEMO_OPTIONS ?= --formula TiO2
PYTEST_OPTIONS ?=
BENCHMARK_OPTIONS ?=
XTAL_DATA ?= ../shared/data

BIN := .venv/bin
INSTALLED := .venv/.installed
# Each is run by `xtal bench`, which writes its results to docs/benchmarks/ (BENCHMARK_OPTIONS=--help explains it).
BENCHMARKS := $(shell sed -n 's/^\[\(.*\)\]$$/\1/p' benchmarks/benchmarks.toml)
# These run other packages beside ours, in an environment of their own.
PEER_BENCHMARKS := metrics pair-distribution morphing
BENCHMARK_TARGETS := $(addprefix bench-,$(BENCHMARKS))
# Crystals that CrystalNet learns from, and those that it does not.
CRYSTALNET_SETS := .bench/crystalnet_sets
PEERS := .venv-peers/bin
PEERS_INSTALLED := .venv-peers/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The two test processes take one core each; numerical libraries that take them all slow both down.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: help install demo test lint format docs bench $(BENCHMARK_TARGETS) verdict study pins clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  make $(firstword $(BENCHMARK_TARGETS)) (or $(wordlist 2,99,$(BENCHMARK_TARGETS))): one benchmark"
	@echo "  PYTHON=python3.12 chooses the Python that .venv is made from"

demo: $(INSTALLED) ## solve an example pattern into demo-result/
	$(BIN)/xtal solve $(DEMO_PATTERN) $(DEMO_OPTIONS) --out demo-result --force

test: $(INSTALLED) ## run the tests
	$(ONE_THREAD) $(BIN)/pytest --numprocesses auto --maxprocesses 2 --dist loadfile $(PYTEST_OPTIONS)

lint: $(INSTALLED) ## check formatting, lint, types and import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright --warnings
	$(BIN)/lint-imports

format: $(INSTALLED) ## format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(INSTALLED) ## write the option reference and check the links
	$(BIN)/python docs/write_option_reference.py
	$(BIN)/pytest --quiet tests/architecture/test_documentation.py

bench: $(BENCHMARK_TARGETS) ## run the benchmarks, writing docs/benchmarks/

bench-crystalnet bench-crystalnet-decoding: | $(CRYSTALNET_SETS)/test.safetensors
$(addprefix bench-,$(PEER_BENCHMARKS)): $(PEERS_INSTALLED)

$(BENCHMARK_TARGETS): bench-%: $(INSTALLED)
	$(BIN)/xtal bench $* -- $(BENCHMARK_OPTIONS)

$(CRYSTALNET_SETS)/test.safetensors: | $(INSTALLED)
	mkdir -p .bench/sets
	$(BIN)/xtal data build $(XTAL_DATA)/mp20/train.csv.gz --out .bench/sets/train.safetensors
	$(BIN)/xtal data build $(XTAL_DATA)/mp52_extra/train.csv.gz --max-atoms 20 --out .bench/sets/extra.safetensors
	$(BIN)/xtal data build $(XTAL_DATA)/mp20/val.csv.gz --out .bench/sets/val.safetensors
	$(BIN)/python benchmarks/crystalnet_sets.py --train .bench/sets/train.safetensors .bench/sets/extra.safetensors \
	  --held-out .bench/sets/val.safetensors --out $(CRYSTALNET_SETS)

# Candidates of a benchmark, where it was run, are pairs of the study too.
SOLVED := $(wildcard .bench/solve_test_200_10/solutions)
CANDIDATES = $(XTAL_DATA)/mp20/test_200.csv.gz --candidates $(SOLVED)

verdict: $(INSTALLED) ## calibrate the verdict on MP-20 validation structures (takes hours)
	$(BIN)/python benchmarks/fit_verdict.py $(BENCHMARK_OPTIONS)

study: $(INSTALLED) ## study the similarity measures on MP-20, writing docs/study/
	@$(if $(SOLVED),,echo "no candidates take part: 'make bench-solve-10' makes them, and without them figures differ")
	$(BIN)/xtal study correlate $(XTAL_DATA)/mp20/val.csv.gz $(if $(SOLVED),$(CANDIDATES)) --pairs 500 \
	  --out .bench/study/correlation --page docs/study
	$(BIN)/xtal study sensitivity $(XTAL_DATA)/mp20/val.csv.gz --limit 150 --out .bench/study/sensitivity --page docs/study

pins: ## renew constraints.txt from pyproject.toml (needs uv; PINS=--upgrade takes the newest versions)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --quiet $(PINS) \
	  --custom-compile-command 'make pins' --output-file constraints.txt

clean: ## remove what these targets wrote, except .venv
	rm -rf demo-result dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find core plugins tests benchmarks docs examples -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(INSTALLED) ## create .venv

$(PEERS_INSTALLED): benchmarks/peers-requirements.txt constraints.txt
	@test -x $(PEERS)/pip || $(PYTHON) -m venv .venv-peers
	$(PEERS)/python -m pip install --constraint constraints.txt --requirement benchmarks/peers-requirements.txt \
	  || { echo "diffpy.pdffit2 is compiled: it needs a C++ compiler and libgsl-dev" >&2; exit 1; }
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; version = sys.version_info[:2]; \
	  (3, 11) <= version <= (3, 13) or sys.exit("$(PYTHON) is Python %d.%d" % version)' \
	  || { echo "xtal needs Python 3.11, 3.12 or 3.13; name one, e.g. make test PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet pip==26.3
	$(BIN)/python -m pip install --constraint constraints.txt --build-constraint constraints.txt --editable . --group dev
	@touch $@
