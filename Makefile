# Every target sets up what it needs: Python 3.11 to 3.13 and make are enough.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install serve test check train bench bench-peers reliability pictures image lock clean

install: $(INSTALLED)  ## make .venv and install the lock into it

# --no-deps: the lock is whole, and pip 23 would look for an extra of what it pins (coverage[toml]) beyond it.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Inkling needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Name one: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

serve: $(INSTALLED)  ## serve on 127.0.0.1:8000, or INKLING_HOST and INKLING_PORT
	$(BIN)/inkling serve

# One thread to a training: a trainer that another test waits for takes only processors that nobody else wants.
test: $(INSTALLED)  ## run the tests, with branch coverage
	$(BIN)/coverage erase
	TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=term $(ARGS)

check: $(INSTALLED)  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

RECIPE ?= accurate
train: $(INSTALLED)  ## train the network that ships: training/pretrained.safetensors (half an hour to an hour)
	$(BIN)/inkling train --recipe $(RECIPE) --out training/pretrained.safetensors

bench: $(INSTALLED)  ## measure the ratios that docs/performance.md tells (about 13 minutes; needs wrk)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.hot_swap
	$(BIN)/python -m benchmarks.page

PEERS := .venv-peers/.installed
bench-peers: $(PEERS)  ## install the other model servers that `make bench` then measures, too (600 MB)

$(PEERS): benchmarks/peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/peers.txt
	touch $@

SEED ?= 1
COUNT ?= 200
reliability: $(INSTALLED)  ## kill servers and trainers at random, and count what is lost (about 25 minutes)
	$(BIN)/python -m tests.reliability --seed $(SEED) --count $(COUNT)

pictures: $(INSTALLED)  ## draw the README's sample digits and its pictures again; needs Chromium and a Chinese font
	$(BIN)/python -m tests.digits
	$(BIN)/inkling predict docs/digits/*.png --plot docs/predictions.png
	$(BIN)/inkling explain docs/digits/8.png --plot docs/explanation.png
	$(BIN)/python -m tests.page.pictures
	$(BIN)/python -m tests.pictures.pipeline

IMAGE ?= inkling
image:  ## build both images with Docker
	docker build --target server -t $(IMAGE) .
	docker build --target trainer -t $(IMAGE)-trainer .

lock:  ## resolve the newest versions again; needs uv
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --upgrade \
	  --extra train --extra postgres --group dev --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --constraint requirements.lock --extra train --extra postgres --python-version 3.11 pyproject.toml -o requirements-trainer.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --constraint requirements.lock --extra postgres --python-version 3.11 pyproject.toml -o requirements-server.lock

clean:  ## remove what the other targets made
	rm -rf .venv .venv-peers dist .coverage .mypy_cache .ruff_cache .pytest_cache
