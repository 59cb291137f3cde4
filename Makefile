# make run [ARGS="--seconds 20 --json"]   build a release and run apus
# make test                               build and run every test
# make bench [ARGS="--only book-l2 --json"] measure everything beside its peers and floors (docs/PERFORMANCE.md)
# make profile [SECONDS=10 PID=... ENGINE=... ARGS=...] record the running engine, draw a flame graph (docs/PROFILING.md)
# make build, make peers                 the release alone; what bench is measured beside (SHARED=FOLDER: the shared folder)
# make lint, make format                  check or mend the formatting
# Nothing but the program itself writes to standard output in `make run`.

SWIFT ?= swift
CLANG_FORMAT ?= clang-format
PACKAGES := libuv1-dev libssl-dev libsecp256k1-dev libjemalloc-dev zlib1g-dev libsqlite3-dev pkg-config systemtap-sdt-dev
BENCH_PACKAGES := gcc g++ util-linux libsimdjson-dev libabsl-dev python3-venv libwebsockets-dev libboost-dev
SHARED ?= $(or $(APUS_SHARED),../shared)
PEERS := Benchmarks/.build/peers
SWIFT_FOLDERS := Sources Tests Benchmarks/Sources Package.swift Benchmarks/Package.swift
C_FILES = $(shell find CSources Tests Benchmarks/Sources Benchmarks/Peers -name '*.[ch]' -not -path '*/.build/*')

.PHONY: run test build deps bench peers profile lint format

run: build
	@exec "$$($(SWIFT) build -c release --show-bin-path 2>/dev/null)/apus" run $(ARGS)

build: deps
	@$(SWIFT) build -c release --product apus 1>&2

# A few tests at a time, and the simulated lives by themselves: tests on real sockets have deadlines, and all tests at once would
# stand in front of their requests in Swift's few threads.
test: export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH = 4
test: deps
	@$(SWIFT) build --build-tests 1>&2
	@$(SWIFT) test --skip-build --skip '^SimulationTests\.'
	@$(SWIFT) test --skip-build --filter '^SimulationTests\.'

bench: build peers
	@$(SWIFT) build --package-path Benchmarks -c release 1>&2
	@exec Benchmarks/.build/release/apus-bench --shared $(SHARED) --peers $(PEERS) $(ARGS)

# What Apus is measured beside: programs of this repository, and those of the shared folder where it is there.
# Of `bench` too: `deps` is made once, by whichever asks first.
bench peers: PACKAGES += $(BENCH_PACKAGES)
peers: deps
	@mkdir -p $(PEERS)
	@$(MAKE) --silent --keep-going -C Benchmarks/Peers OUT=$(abspath $(PEERS)) 1>&2 \
	    || echo "not every peer of Benchmarks/Peers could be built: rows say which" >&2
	@if [ ! -d $(SHARED)/peers ]; then echo "$(SHARED)/peers is not there: rows that need it say so" >&2; \
	else $(MAKE) --silent --keep-going -C $(SHARED)/peers OUT=$(abspath $(PEERS)) 1>&2 \
	    || echo "not every peer of $(SHARED)/peers could be built: rows say which" >&2; fi

# An engine that runs already is named by PID or ENGINE; else one is started, with ARGS for `apus run`.
profile: $(if $(PID)$(ENGINE),,build)
	@exec python3 Benchmarks/Profile/profile.py --apus "$$($(SWIFT) build -c release --show-bin-path 2>/dev/null)/apus" \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PID),--pid $(PID)) $(if $(ENGINE),--engine $(ENGINE)) -- $(ARGS)

# Installs what is missing as root or by sudo without a password; otherwise says what to install and stops.
deps:
	@missing=; for name in $(PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$name"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; \
	elif sudo -n true 2>/dev/null; then sudo="sudo -n"; \
	else echo "missing packages; as root: apt-get install$$missing" >&2; exit 1; fi; \
	echo "installing$$missing" >&2; \
	$$sudo apt-get update 1>&2 && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y $$missing 1>&2

lint:
	@$(SWIFT) format lint --strict --recursive $(SWIFT_FOLDERS)
	@$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)

format:
	@$(SWIFT) format --in-place --recursive $(SWIFT_FOLDERS)
	@$(CLANG_FORMAT) -i $(C_FILES)
