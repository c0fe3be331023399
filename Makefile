# The two commands are `make demo` and `make test`; each sets up what it needs. The rest is for those who work on Argus.
SHELL := /bin/bash
BIN := .venv/bin
NEWER := .venv-3.13/bin
# Six on two cores, in the order of `tests/conftest.py`: two or three of them wait for real parts at any time.
# The longest test takes a minute.
PYTEST := -m pytest -q -rs --durations=30 -n 6 --dist loadfile --no-loadscope-reorder --timeout 300
# Tests that need no server.
UNIT := -m "not pg and not broker and not browser and not demo"

# Where Python is forbidden to keep what it has compiled, each program of the tests would compile all of Argus anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-demo demo test every-test lint bench fuzz soak test-python313 test-bluez test-systemd test-cluster test-otlp contract sdk-types fmt docs-shots requirements

setup:
	@.ci/setup test

setup-demo:
	@.ci/setup demo

demo: setup-demo
	@$(BIN)/argus-sim demo $(ARGS)

# The linters beside the tests, since they would leave one of two cores idle.
test: setup
	@$(MAKE) --no-print-directory -j 2 lint every-test

every-test:
	.ci/in-memory $(BIN)/python $(PYTEST) tests

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@[ ! -x sdk/typescript/node_modules/.bin/tsc ] || sdk/typescript/node_modules/.bin/tsc -p sdk/typescript/tsconfig.page.json

# One group: make bench ONLY=buffer
bench: setup
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

# The full counts of the stories that `make test` tells with small ones.
# ARGUS_FUZZ_COUNT mutated APDUs through both ends of an association, the other fuzzers in proportion, and requests that
# Schemathesis generates for the whole API; two processes.
fuzz: setup
	ARGUS_FUZZ_COUNT=$${ARGUS_FUZZ_COUNT:-5000000} $(BIN)/python -m pytest -q -n 2 --dist load tests/fuzz \
	  tests/contract/test_schemathesis.py

# The tests of the product's modules on Python 3.13, which Debian 13 runs; `make test` runs all tests on the older one.
test-python313: setup
	@[ -x $(NEWER)/python ] || { echo "Python 3.13 is not installed (apt-get install python3.13)"; exit 1; }
	$(NEWER)/python $(PYTEST) $(UNIT) tests/protocols tests/gateway tests/cloud \
	  --ignore tests/gateway/cli --ignore tests/gateway/crew --ignore tests/cloud/cli

# The gateway on the real BlueZ, in a guest with a virtual controller; root. The guest's kernel is built once.
test-bluez: setup
	@.ci/setup bluez
	$(BIN)/python -m tests.bluez $(STORIES)

# The shipped units on a booted Debian 13, in a container; root. Its root folder and the wheels are fetched once.
test-systemd: setup
	@.ci/setup systemd
	$(BIN)/python -m tests.systemd $(STORIES)

# Three RabbitMQ nodes on this machine, which are killed under load. Debian's package is installed once.
test-cluster: setup
	@.ci/setup cluster
	ARGUS_CLUSTER=1 $(BIN)/python -m pytest -q -s tests/cluster

# A tracing backend that others wrote gets our spans. It is installed once, in an environment of its own.
test-otlp: setup
	@.ci/setup otlp
	ARGUS_OTLP=1 $(BIN)/python -m pytest -q -s tests/otlp

# The stories of `make test` with their full counts, in groups. One group: make soak ONLY=attacks
soak: setup
	$(BIN)/python -m tests.soak $(if $(ONLY),--only $(ONLY))

# The numbers of the contract matrix that no test names yet.
contract: setup
	@$(BIN)/python -m tests.contract

# The types of the SDKs, after a change of the API. A test fails until they are written again.
sdk-types: setup
	$(BIN)/python -m tests.sdk.python_types
	$(BIN)/python -m tests.builders.typescript_types

docs-shots: setup
	$(BIN)/python -m tests.docs.shots

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a change of the dependencies in pyproject.toml. With the newest versions: make requirements UPGRADE=1
requirements:
	@.ci/lock $(if $(UPGRADE),--upgrade)
