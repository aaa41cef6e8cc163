# Two commands do everything: `make up` and `make test`. ARGS go to `hanoiic up` (ARGS=--detach).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes; each would compile the rooms anew.
unexport PYTHONDONTWRITEBYTECODE
# Test processes side by side, as many as there are processors, but four at most.
PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
# One more where tests wait for servers.
WAITING_PROCESSES = $(shell echo $$(($(PROCESSES) > 1 ? $(PROCESSES) + 1 : 1)))

.PHONY: up down status logs reset doctor test lint test-fast test-ckan-plugins test-e2e test-ckan test-ckan-quick acceptance kill-workers fuzz-search fuzz-gateway test-hostile test-hostile-files clean

up: $(VENV)/installed
	@$(BIN)/hanoiic up $(ARGS)

down status logs reset doctor: $(VENV)/installed
	@$(BIN)/hanoiic $@ $(ARGS)

# What the README calls the test command. Each part is a session of its own. Sessions joined by `+`
# run two at a time, as each of them leaves processors idle, and show what they said when they end.
# The first that fails ends it, and the last line says how long each took.
STAGES := lint test-fast test-e2e+test-ckan-plugins+test-ckan-quick
TOOK := $(VENV)/took
test: $(VENV)/installed-dev
	@rm -f $(TOOK); set -e; for stage in $(STAGES); do \
		sessions=$$(echo $$stage | tr + ' '); set -- $$sessions; \
		if [ $$# -gt 1 ]; then echo "Two at a time: $$sessions"; fi; \
		$(MAKE) --no-print-directory --jobs=$$(($$# > 1 ? 2 : 1)) --output-sync=target $$(printf 'timed-%s ' $$sessions); \
	done; echo "All passed:$$(sed '$$!s/$$/,/' $(TOOK) | tr -d '\n')."

timed-%:
	@began=$$(date +%s); $(MAKE) --no-print-directory $* $(SHARE) && \
		echo " $* $$(($$(date +%s) - began)) s" >> $(TOOK)
# The portal that test-e2e starts keeps one processor busy.
timed-test-ckan-plugins: SHARE := PROCESSES=$(shell echo $$(($(PROCESSES) > 2 ? $(PROCESSES) - 1 : 1)))

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# In the order of folders: the files that take longest, the gateway's, come first. Tests that bound
# what other work changes run alone. With ARGS, one of the two may choose none.
NONE_CHOSEN := 5
test-fast: $(VENV)/installed-dev
	$(BIN)/pytest tests -m "not e2e and not alone" --numprocesses=$(WAITING_PROCESSES) --dist=loadfile --no-loadscope-reorder $(ARGS)
	$(BIN)/pytest $$(grep -rl "mark.alone" tests --include="test_*.py") -m alone $(ARGS) || [ $$? = $(NONE_CHOSEN) ]

test-ckan-plugins: $(VENV)/installed-dev
	PROCESSES=$(PROCESSES) $(BIN)/python tests/ckanext_hanoiic/run.py $(ARGS)

test-e2e: $(VENV)/installed-dev
	$(BIN)/pytest tests/e2e -m e2e $(ARGS)

# The acceptance cases of licensing, which docs/licensing.md lists (a part of `test`).
acceptance: $(VENV)/installed-dev
	$(BIN)/pytest tests -m "not e2e" -k test_case $(ARGS)
	$(BIN)/python tests/ckanext_hanoiic/run.py -k test_case $(ARGS)
	$(BIN)/pytest tests/e2e/acceptance -m e2e $(ARGS)

# Those of CKAN's own tests that search most, against our search index.
test-ckan-quick: $(VENV)/installed-dev
	$(BIN)/python tests/ckanext_hanoiic/ckan_own.py --quick $(ARGS)

# CKAN's own tests and its extensions' (some minutes; not a part of `test`). ARGS: a suite, modules.
test-ckan: $(VENV)/installed-dev
	$(BIN)/python tests/ckanext_hanoiic/ckan_own.py $(ARGS)

# Every bomb of the hostile corpus, and a long fuzz of the statement gate (some minutes).
test-hostile: export HANOIIC_ALL_BOMBS := 1
test-hostile: export HANOIIC_FUZZ_STATEMENTS ?= 50000
test-hostile: $(VENV)/installed-dev
	$(BIN)/pytest tests/api_gateway/test_hostile_sql.py tests/api_gateway/test_hostile_doors.py tests/api_gateway/test_locks_alone.py tests/api_gateway/test_gate.py -rP --timeout=7200 $(ARGS)

# The hostile corpus of the harvesters with vast files of 1 GiB (some minutes; not a part of `test`).
test-hostile-files: export HANOIIC_TEST_VAST := 1
test-hostile-files: $(VENV)/installed-dev
	$(BIN)/pytest tests/harvesters/test_hostile.py tests/harvesters/test_hostile_servers.py --timeout=1200 --durations=10 $(ARGS)

# A hundred harvests whose worker is killed, and sixteen into a real portal (half an hour; not a
# part of `test`).
kill-workers: export HANOIIC_TEST_KILLS ?= 100
kill-workers: export HANOIIC_TEST_KILLS_STACK ?= 16
kill-workers: $(VENV)/installed-dev
	$(BIN)/pytest tests/harvesters/test_kills.py -s --timeout=7200 $(ARGS)
	$(BIN)/pytest tests/e2e/test_kills.py -m e2e -s $(ARGS)

# Made-up queries against the search index (a quarter of an hour; not a part of `test`).
fuzz-search: export HANOIIC_FUZZ_QUERIES ?= 20000
fuzz-search: $(VENV)/installed-dev
	$(BIN)/python tests/ckanext_hanoiic/run.py tests/ckanext_hanoiic/test_search_fuzz.py --timeout=7200 $(ARGS)

# Made-up requests against the gateway's OpenAPI document (some minutes; not a part of `test`).
fuzz-gateway: export HANOIIC_FUZZ_REQUESTS ?= 100
fuzz-gateway: $(VENV)/installed-dev
	$(BIN)/pytest tests/api_gateway/test_openapi.py --timeout=7200 $(ARGS)

BUILT_FROM := setup.cfg pyproject.toml setup.py $(wildcard api_gateway/row_text*.[ch]*)
$(VENV)/installed: $(BUILT_FROM)
	@PYTHON="$(PYTHON)" sh deploy/install.sh $(VENV) .
	@touch $@

$(VENV)/installed-dev: $(BUILT_FROM)
	@PYTHON="$(PYTHON)" sh deploy/install.sh $(VENV) ".[dev]"
	@touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) build *.egg-info ckanext-hanoiic/*.egg-info
