# make run [ARGS="--seconds 20 --json"]   build a release and run apus
# make test                               build and run every test
# make lint, make format                  check or mend the formatting
# Nothing but the program itself writes to standard output in `make run`.

SWIFT ?= swift
CLANG_FORMAT ?= clang-format
PACKAGES := libuv1-dev libssl-dev libjemalloc-dev zlib1g-dev pkg-config
SWIFT_FOLDERS := Sources Tests Package.swift
C_FILES = $(shell find CSources Tests -name '*.[ch]' -not -path '*/.build/*')

.PHONY: run test build deps lint format

run: build
	@exec "$$($(SWIFT) build -c release --show-bin-path 2>/dev/null)/apus" run $(ARGS)

build: deps
	@$(SWIFT) build -c release --product apus 1>&2

test: deps
	@$(SWIFT) build --build-tests 1>&2
	@$(SWIFT) test --skip-build

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
