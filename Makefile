# Python 3.11, 3.12 or 3.13 and make are enough: every target first installs what it needs into .venv.
# Packages are installed by uv where it is on the PATH, else by pip.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)

# Tests and benchmarks start many processes: none of them compiles modules that another has compiled.
unexport PYTHONDONTWRITEBYTECODE

# Two stages, each the stamp of an installation: what serving and training need, then what tests and checks need, too.
SERVE := .venv/.installed-serve
DEV := .venv/.installed-dev
CLIENTS := .venv-clients/.installed
PROTOCOL_CLIENTS := .venv-protocol-clients/.installed
RAY := .venv-ray/.installed

.PHONY: help install serve test long check openapi clients train bench lighthouse bench-peers ray reliability scoreboard audit pictures image lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(DEV)  ## make .venv with everything: the command inkling, tests, checks

serve: $(SERVE)  ## serve on 127.0.0.1:8000, or INKLING_HOST and INKLING_PORT
	$(BIN)/inkling serve

# One thread per training: a trainer that another test waits for uses only CPU time that nobody else wants. One process
# more than CPU cores: the longest tests wait for trainers and servers, and two of them leave half of two cores idle.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')
test: $(DEV)  ## run the tests, with branch coverage
	$(BIN)/coverage erase
	TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(or $(ARGS),--cov --cov-report=term)

long: $(DEV)  ## run the tests that take minutes; needs the real MNIST in INKLING_MNIST_DIR
	$(BIN)/python -m pytest -m long

check: $(DEV)  ## check format, lint, typos, types, import rules, and that openapi.json is up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	@echo "$(BIN)/python -m app.openapi_document | diff openapi.json -"
	@$(BIN)/python -m app.openapi_document | diff openapi.json - || \
	  { echo "The API differs from openapi.json. If that is intended: make openapi, and name the change in CHANGELOG.md."; exit 1; }

openapi: $(DEV)  ## write openapi.json, the description of the HTTP API
	$(BIN)/python -m app.openapi_document > openapi.json

clients: $(CLIENTS) $(PROTOCOL_CLIENTS)  ## install the linters, client generators and clients that tests/clients runs (needs npm; 350 MB)

RECIPE ?= accurate
train: $(SERVE)  ## train the network that ships: inkling/network/pretrained.safetensors (half an hour to an hour)
	$(BIN)/inkling train --recipe $(RECIPE) --out inkling/network/pretrained.safetensors

bench: $(DEV)  ## measure the ratios of benchmarks/RESULTS.md (about 20 minutes; needs wrk)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.hot_swap
	$(BIN)/python -m benchmarks.page

LIGHTHOUSE := .venv-lighthouse/.installed
lighthouse: $(DEV) $(LIGHTHOUSE)  ## rate the page with Lighthouse, and measure its first visit (needs npm, Chromium; 180 MB)
	$(BIN)/python -m benchmarks.lighthouse

PEERS := .venv-peers/.installed
bench-peers: $(PEERS)  ## install the other model servers, which make bench then measures, too (600 MB)

ray: $(RAY)  ## install Ray into .venv-ray, and run the tests of deploy/ray on a cluster of two nodes (600 MB; needs PostgreSQL)
	.venv-ray/bin/python -m pytest -W default tests/on_ray

SEED ?= 1
COUNT ?= 200
reliability: $(DEV)  ## kill servers and trainers at random, and count what is lost (about 25 minutes)
	$(BIN)/python -m benchmarks.reliability --seed $(SEED) --count $(COUNT)

scoreboard: $(DEV)  ## run every attack and fault, and write docs/reliability.md (about 20 minutes)
	$(BIN)/python -m benchmarks.scoreboard --seed $(SEED)

operations: $(DEV)  ## kill and restart servers under load, behind nginx, and write docs/operations.md (about 10 minutes)
	$(BIN)/python -m benchmarks.operations --update

AUDIT := .venv-audit/.installed
audit: $(DEV) $(AUDIT)  ## compare the locked packages with the known advisories; exit code 2 where no source can be reached
	$(BIN)/python -m benchmarks.audit

pictures: $(DEV)  ## draw the README's sample digits and pictures again; needs Chromium and a Chinese font
	$(BIN)/python -m tests.support.digits
	$(BIN)/inkling predict docs/digits/*.png --plot docs/predictions.png
	$(BIN)/inkling explain docs/digits/8.png --plot docs/explanation.png
	$(BIN)/python -m tests.page.pictures
	$(BIN)/python -m tests.pictures.pipeline

IMAGE ?= inkling
image:  ## build both images with Docker
	docker build --target server -t $(IMAGE) .
	docker build --target trainer -t $(IMAGE)-trainer .

# Locked versions stay unless pyproject.toml excludes them. The smaller locks take their versions from the whole one.
UPGRADE ?=
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11
lock:  ## resolve pyproject.toml into the seven locks; UPGRADE=--upgrade takes the newest versions; needs uv
	$(COMPILE) $(UPGRADE) --extra train --extra postgres --extra heif --extra report --extra onnx --extra grpc --extra bulk --extra search --extra otel --group dev pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements.lock --extra train --extra postgres --extra heif --extra onnx --extra grpc --extra search --extra otel pyproject.toml -o requirements-trainer.lock
	$(COMPILE) -c requirements.lock --extra postgres --extra heif --extra onnx --extra grpc --extra otel pyproject.toml -o requirements-server.lock
	$(COMPILE) -c requirements.lock --group pyproject.toml:build -o requirements-build.lock
	$(COMPILE) -c requirements.lock --extra ray --extra bulk --extra train --extra postgres --group ray pyproject.toml -o requirements-ray.lock
	$(COMPILE) $(UPGRADE) --group pyproject.toml:clients -o requirements-clients.lock
	$(COMPILE) $(UPGRADE) --group pyproject.toml:protocol-clients -o requirements-protocol-clients.lock

clean:  ## remove what the other targets made
	rm -rf .venv .venv-audit .venv-clients .venv-lighthouse .venv-peers .venv-protocol-clients .venv-ray dist .coverage* .*_cache .hypothesis .schemathesis


# How .venv is made

ifeq ($(UV),)
VENV := $(PYTHON) -m venv --clear
PIP := $(BIN)/python -m pip install --no-deps
# Of pip's hundreds of lines, one for each large download.
BRIEF := | sed -nE -e 's/^ *(Downloading|Using cached) ([^-]+)-([^-]+)-.* (\([0-9.]+ MB\))$$/  \2 \3 \4/p' \
  -e 's/^Installing collected packages: .*,.*/  unpacking/p'
else
VENV := uv venv --quiet --clear --seed --python $(PYTHON)
PIP := uv pip install --python $(BIN)/python --no-deps
BRIEF := 2>&1 | grep -v '^ [-+] '
endif

# The locks are whole, hence --no-deps: pip 23 would look for an extra of what they pin (coverage[toml]) beyond them.
# A pipe hides the exit status of its first command, so the stamp itself says that all went well.
define INSTALL
@echo "Installing $(WHAT), with $(if $(UV),uv,pip)"
@rm -f $@
@{ $(PIP) --require-hashes $(addprefix -r ,$(LOCKS)) && \
   $(PIP) --no-build-isolation --editable . && touch $@; } $(BRIEF); test -e $@
endef

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Inkling needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Name one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(VENV) .venv

$(SERVE): WHAT := what serving and training need (most of it is TensorFlow)
$(SERVE): LOCKS := requirements-trainer.lock requirements-build.lock
$(SERVE): requirements-trainer.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(INSTALL)

$(DEV): WHAT := what serving, training, tests and checks need (most of it is TensorFlow)
$(DEV): LOCKS := requirements.lock
$(DEV): requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL)
	@touch $(SERVE)

.PHONY: node-version
node-version:
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || \
	  { echo "The client generators need Node.js 20.19 or newer, found: $$(node --version 2>&1)"; exit 1; }

$(CLIENTS): tests/clients/package-lock.json requirements-clients.lock | node-version
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-clients.lock
	cp tests/clients/package.json tests/clients/package-lock.json .venv-clients
	npm ci --prefix .venv-clients --ignore-scripts --no-audit --no-fund --loglevel error
	touch $@

$(LIGHTHOUSE): tests/page/lighthouse/package-lock.json | node-version
	mkdir -p .venv-lighthouse
	cp tests/page/lighthouse/package.json tests/page/lighthouse/package-lock.json .venv-lighthouse
	npm ci --prefix .venv-lighthouse --ignore-scripts --no-audit --no-fund --loglevel error
	touch $@

$(PROTOCOL_CLIENTS): requirements-protocol-clients.lock
	$(PYTHON) -m venv .venv-protocol-clients
	.venv-protocol-clients/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	touch $@

$(RAY): requirements-ray.lock pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-ray.lock
	.venv-ray/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(AUDIT):
	test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet 'pip-audit>=2.9'
	touch $@

$(PEERS): benchmarks/peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/peers.txt
	touch $@
