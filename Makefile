# make setup, check, test. They need nothing in the environment but PATH and HOME.
SHELL := /bin/bash
# The distribution's build is a third faster than one that was compiled without its optimizations.
PYTHON ?= $(shell for one in /usr/bin/python3.11 python3.11; do \
  $$one -c 'import ensurepip' 2>/dev/null && echo $$one && exit; done; echo python3.11)
BIN := .venv/bin

define VENV
@command -v $(PYTHON) >/dev/null || { \
  echo "Python 3.11 is needed: apt-get install -y python3.11 python3.11-venv, or make PYTHON=..." >&2; \
  exit 1; }
@test -x $(BIN)/python || $(PYTHON) -m venv .venv
endef
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup check test

setup: .venv/.dev translations

# Generated from the .po files, which people write.
.PHONY: translations messages
translations:
	@$(BIN)/pybabel -q compile --domain django --directory collections_app/locale

# Adds the new strings of code and templates to the .po files, and drops those that are gone.
messages: .venv/.dev
	@$(BIN)/python -m tests.infra.messages

.venv/.dev: requirements.txt requirements-dev.txt
	$(VENV)
	$(PIP) -r requirements-dev.txt
	touch $@

# Settings as in production, for Django's own deployment checks. Nothing connects.
DEPLOYED = env -u DEBUG -u LOOPBACK_ONLY -u MILVUSADMIN_CONFIG SIGN_IN=local \
  SECRET_KEY=check-9b1f6c02d7a84e53f0c2a7d61e94b835c0d7f1a2b3e4 \
  AUDIT_KEY=check-4e7d0a91c3b85f26d1e0f7a4b9c2638517d0e6f3a2b9 \
  ALLOWED_HOSTS=milvus.example.com MILVUS_URI=http://milvus.example.com:19530 \
  DATABASE_URL=postgres://app@database.example.com/app
TESTED = env DJANGO_SETTINGS_MODULE=tests.settings TEST_DATABASE=sqlite

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/djlint templates --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(TESTED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(TESTED) $(BIN)/python manage.py check
	@echo "manage.py check --deploy"; $(DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING

# COV=1 adds coverage; ARGS="-k drop" goes to pytest. Three PROCESSES keep two cores busy; with two, tests
# with deadlines have more time. The processes share one Milvus, and each has its own database.
# A module stays in one piece, because some of its tests share a server or names (--dist loadscope), and
# busy ones are spread among the others (tests/conftest.py).
# On a busy machine an answer can come after a deadline that is not the subject of the test. Such a test, and no
# other, runs once more, and the summary names it (R).
MILVUS = $(BIN)/python -m tests.infra.with_milvus
PROCESSES ?= 3
TOO_SLOW = --reruns 1 --only-rerun "Unreachable: Deadline Exceeded" --only-rerun "Timeout [0-9]+ms exceeded" -rR
PYTEST = $(BIN)/python -m pytest $(TOO_SLOW) -n $(PROCESSES) --dist loadscope --no-loadscope-reorder $(if $(COV),--cov --cov-append --cov-report=term) $(ARGS)

test: setup
	$(if $(COV),rm -f .coverage)
	@tests/infra/tools.sh tests/infra/databases.sh $(MILVUS) tests/infra/on_both_databases.sh $(PYTEST)

# For the inner loop: what starts no server, no browser and no process.
.PHONY: test-fast
test-fast: setup
	TEST_DATABASE=sqlite $(BIN)/python -m pytest -q -n 2 --dist worksteal --fast $(ARGS)

# SIZES=1000,10000 TARGET=stub|real FIGURES=listing,drop,… (docs/performance.md) ROUNDS=40
# REPORT=FILE. Takes some minutes; the logs of a million events are kept in var/bench.
.PHONY: bench
bench: setup
	@$(BIN)/python -m tests.benchmarks

# OPERATIONS=10000 SEED=1 MINUTES=40 STRICT=1 SKIN=v2620 KEEP=folder. Attacks the promises with faults at every point; one
# JSON line of counts, and exit status 1 if one is not zero. It starts a Milvus of its own, to kill
# it. The self-test does the same to builds that break a promise.
.PHONY: chaos chaos-selftest
CHAOS = $(if $(OPERATIONS),OPERATIONS=$(OPERATIONS)) $(if $(SEED),SEED=$(SEED)) \
  $(if $(MINUTES),MINUTES=$(MINUTES)) $(if $(STRICT),CHAOS_STRICT=$(STRICT)) $(if $(SKIN),SKIN=$(SKIN)) $(BIN)/python -m
chaos: setup
	@tests/infra/databases.sh env $(CHAOS) tests.chaos

chaos-selftest: setup
	@tests/infra/databases.sh $(MILVUS) env $(CHAOS) tests.chaos.selftest

# VERSION=0.2.0: dates that version's section of CHANGELOG.md, commits, tags and prints the notes.
.PHONY: release
release:
	@$(PYTHON) deploy/release.py "$(VERSION)"

# The digests of what production installs, for all platforms, from the index's own metadata. Needs uv.
# After each change of requirements.txt.
.PHONY: hashes
LITE = milvus-lite|faiss-cpu|pyarrow
hashes:
	@head -4 deploy/requirements.txt > deploy/requirements.new
	@grep -vE '^($(LITE))==' requirements.txt | uv pip compile - --generate-hashes --universal \
	  --python-version 3.11 --no-deps --no-header --no-annotate --quiet >> deploy/requirements.new
	mv deploy/requirements.new deploy/requirements.txt

# The digests of the images that deploy/compose.yaml builds from and starts, into deploy/.env, which compose
# reads. Asks their registries: needs skopeo, or docker with buildx.
.PHONY: digests
digests:
	@deploy/digests.sh

# --- Running it on this machine ------------------------------------------------------------------

.PHONY: demo demo-sso demo-reset run screenshots

.venv/.run: requirements.txt
	$(VENV)
	$(PIP) -r requirements.txt
	touch $@

# PORT=8123 and DEMO_PASSWORD=... choose the port and the accounts' password.
demo: .venv/.run
	@PORT="$(or $(PORT),8000)" DEMO_PASSWORD="$(DEMO_PASSWORD)" deploy/local.sh demo

# The same behind a demo identity provider. PROVIDER_PORT=9401 chooses its port.
demo-sso: .venv/.run
	@PORT="$(or $(PORT),8000)" PROVIDER_PORT="$(or $(PROVIDER_PORT),9400)" deploy/local.sh demo-sso

# MILVUS_URI=http://HOST:19530 MILVUS_TOKEN=user:password make run
run: .venv/.run
	@PORT="$(or $(PORT),8000)" DEMO_PASSWORD="$(DEMO_PASSWORD)" deploy/local.sh run

demo-reset:
	@for pid in var/demo/pid var/demo-sso/pid; do \
	  if [ -s $$pid ] && kill -0 "$$(cat $$pid)" 2>/dev/null; then \
	    echo "A demo is running, as process $$(cat $$pid). Stop it first." >&2; exit 1; fi; done
	rm -rf var/demo var/demo-sso

screenshots: setup
	@fc-list :lang=zh | grep -q . || { \
	  echo "The name of a language is Chinese: apt-get install -y fonts-wqy-microhei" >&2; exit 1; }
	tests/infra/tools.sh env TEST_DATABASE=sqlite $(BIN)/python -m pytest tests/browser/screenshots.py
