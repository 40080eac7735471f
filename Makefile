# Builds, tests and installs rt. `make help` lists the targets.

# The tests share the machine's control groups and mounts, so one target runs after the other, whatever -j says.
.NOTPARALLEL:
.DEFAULT_GOAL := rt

GO ?= go
# GOARCH builds for another machine (amd64, arm64), with the cross compiler and the libseccomp of build/bin/sysroot-ARCH.
HOSTARCH := $(shell $(GO) env GOHOSTARCH)
GOARCH ?= $(HOSTARCH)
TRIPLET_amd64 := x86_64-linux-gnu
TRIPLET_arm64 := aarch64-linux-gnu
TRIPLET := $(or $(TRIPLET_$(GOARCH)),$(error GOARCH is $(GOARCH): the stage knows amd64 and arm64))
ifeq ($(origin CC),default)
CC := gcc
endif
RT := rt
DEPS_BUILD := build
ifneq ($(GOARCH),$(HOSTARCH))
CC := $(TRIPLET)-gcc
RT := rt-$(GOARCH)
DEPS_BUILD := cross-$(GOARCH)
SYSROOT := $(CURDIR)/build/bin/sysroot-$(GOARCH)
export PKG_CONFIG_SYSROOT_DIR := $(SYSROOT)
export PKG_CONFIG_LIBDIR := $(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig
endif
export GO CC GOARCH
CROSS := $(if $(filter amd64,$(HOSTARCH)),arm64,amd64)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
DOCDIR ?= $(PREFIX)/share/doc/rt
INSTALL ?= install

VERSION := $(shell cat VERSION)
# A source tree without git (a release archive) has no commit, and the binary says so.
COMMIT := $(shell [ -e .git ] && git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)

# The stage has no C library: its sources bring _start and the few functions that gcc calls by itself.
# -fno-tree-loop-distribute-patterns: else gcc turns the loop in memset into a call of memset.
# The stack protector's guard is a global word of our own: the usual one lives in a C library's thread data.
STAGE_WARNINGS := -Wall -Wextra -Werror
STAGE_CFLAGS := -std=gnu11 -O2 $(STAGE_WARNINGS) -ffreestanding -fno-pie -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -fstack-protector-strong -mstack-protector-guard=global
STAGE_LDFLAGS := -nostdlib -static -no-pie -s -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro
STAGE_SOURCES := $(sort $(wildcard nsenter/*.c))
STAGE_MAX_BYTES := 65536

# rt is pure Go: a program with cgo and a C library takes half as long again to start, and rt starts for every command.
# The commit is stamped by -X: -buildvcs would make the build fail in a clone that another user owns.
GO_TAGS := urfave_cli_no_docs
GO_RUNTIME := build/bin/go-runtime
GO_LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The filter compiler is a program of its own, embedded in rt: libseccomp is used by cgo, and linked statically.
# Its .id holds the version of libseccomp, and its checksum. The version is that of the header, since a program for
# another machine can't be asked; a test of package seccomp asks it.
COMPILER := libcontainer/seccomp/rt-seccomp-$(GOARCH)
COMPILER_SOURCES := $(filter-out %_test.go,$(wildcard libcontainer/seccomp/compiler/*.go libcontainer/seccomp/wire/*.go))
# -L stands here besides: in pkg-config's flags it gets into the compiler's cache, with the path of the tree that was first.
COMPILER_LDFLAGS := -s -w -linkmode external \
	-extldflags '-static -Wl,--build-id=none $(if $(SYSROOT),-L$(SYSROOT)/usr/lib/$(TRIPLET))'
COMPILER_MAX_BYTES := 4194304

# What is embedded, and so has to be there before any Go package is built or tested.
STAGE := nsenter/stage-$(GOARCH)
EMBEDDED := $(STAGE) $(COMPILER) $(COMPILER).id

# Packages whose tests need root and the finished binary; all others are unit tests.
ROOT_TESTS := /tests/(integration|security|fault|systemd|stress)(/|$$)
GOTESTFLAGS ?=

.PHONY: rt
rt: $(EMBEDDED) ## build the static binary, with the stage and the filter compiler embedded
	@build/deps --check $(DEPS_BUILD)
	@build/go-runtime $(GO_RUNTIME)
	GOEXPERIMENT="$$(cat $(GO_RUNTIME)/experiment)" CGO_ENABLED=0 \
		$(GO) build -overlay $(GO_RUNTIME)/overlay.json -trimpath -buildvcs=false -tags '$(GO_TAGS)' \
		-ldflags "$(GO_LDFLAGS) -X main.stageSum=$$(sha256sum <$(STAGE) | cut -c 1-64)" -o $(RT) .
	@build/check-binary $(RT)

$(STAGE): $(STAGE_SOURCES) $(wildcard nsenter/*.h) Makefile
	@build/deps --check $(DEPS_BUILD)
	$(CC) $(STAGE_CFLAGS) $(STAGE_LDFLAGS) -o $@.new $(STAGE_SOURCES)
	@size=$$(wc -c <$@.new); if [ "$$size" -gt $(STAGE_MAX_BYTES) ]; then \
		rm -f $@.new; echo "$@: $$size bytes, more than $(STAGE_MAX_BYTES)" >&2; exit 1; fi
	@mv $@.new $@

$(COMPILER) $(COMPILER).id &: $(COMPILER_SOURCES) go.mod go.sum Makefile | $(SYSROOT)
	@build/deps --check $(DEPS_BUILD)
	CGO_ENABLED=1 $(GO) build -trimpath -buildvcs=false -ldflags "$(COMPILER_LDFLAGS)" -o $(COMPILER).new ./libcontainer/seccomp/compiler
	@build/check-binary $(COMPILER).new
	@size=$$(wc -c <$(COMPILER).new); if [ "$$size" -gt $(COMPILER_MAX_BYTES) ]; then \
		rm -f $(COMPILER).new; echo "$(COMPILER): $$size bytes, more than $(COMPILER_MAX_BYTES)" >&2; exit 1; fi
	@set -e; version=$$(printf '#include <seccomp.h>\nSCMP_VER_MAJOR.SCMP_VER_MINOR.SCMP_VER_MICRO\n' | \
			$(CC) -E -P $$(pkg-config --cflags libseccomp) - | tail -n 1 | tr -d ' '); sum=$$(sha256sum $(COMPILER).new); \
		mv $(COMPILER).new $(COMPILER); printf '%s %s' "$$version" "$${sum%% *}" >$(COMPILER).id

# The target's libseccomp from Debian, unpacked here: the machine's packages stay as they are.
$(SYSROOT):
	build/sysroot '$(GOARCH)' '$@'

.PHONY: cross
cross: ## build rt-arm64 as well (on amd64; installs the cross compiler if it is missing)
	@build/deps build cross-$(CROSS)
	@$(MAKE) --no-print-directory rt GOARCH=$(CROSS)

.PHONY: cross-check
cross-check: ## make cross where the cross compiler is, or can be installed; start the result if qemu-user is there
	@if ! build/deps cross-$(CROSS); then echo 'cross-check: SKIPPED: no cross compiler, and it can not be installed'; exit 0; fi; \
	$(MAKE) --no-print-directory rt GOARCH=$(CROSS) || exit 1; \
	if command -v qemu-aarch64-static >/dev/null; then qemu-aarch64-static ./rt-$(CROSS) --version; fi

.PHONY: demo
demo: ## run a container step by step and show it (root; installs what is missing)
	@build/deps build test
	@$(MAKE) --no-print-directory rt
	@RT='$(CURDIR)/rt' tests/demo

.PHONY: test
test: ## run all tests that this machine can run (root-only ones as root; installs what is missing)
	@build/deps build test
	@$(MAKE) --no-print-directory rt unit integration clients-quick conformance

.PHONY: unit
unit: $(EMBEDDED) ## run the tests that need neither root nor the binary
	$(GO) test $(GOTESTFLAGS) $$($(GO) list ./... | grep -Ev '$(ROOT_TESTS)')

.PHONY: stage-test
stage-test: ## run the stage with real and damaged plans under the sanitizers (part of unit)
	$(GO) test -count=1 -v ./tests/fuzz

FUZZTIME ?= 60s
.PHONY: fuzz
fuzz: ## search for plans that break the stage, and for configs that break the planner (clang; FUZZTIME each)
	@build/deps build fuzz
	$(GO) run ./tests/fuzz -time $(FUZZTIME)
	$(GO) test -run '^$$' -fuzz '^FuzzEncode$$' -fuzztime $(FUZZTIME) ./libcontainer/plan
	$(GO) test -run '^$$' -fuzz '^FuzzCreate$$' -fuzztime $(FUZZTIME) ./libcontainer/plan
	$(GO) test -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZTIME) ./libcontainer/seccomp/wire

.PHONY: integration
integration: rt ## run the tests that drive ./rt (root)
	@if [ "$$(id -u)" -ne 0 ]; then echo 'integration: SKIPPED: needs root'; exit 0; fi; \
	packages=$$($(GO) list ./... | grep -E '$(ROOT_TESTS)') || { echo 'integration: no packages' >&2; exit 1; }; \
	RT='$(CURDIR)/rt' $(GO) test -count=1 -p 1 $(GOTESTFLAGS) $$packages

.PHONY: vm-test
vm-test: rt ## run the tests in virtual machines with systemd on cgroup v2, v1 and hybrid (KINDS, VM_DIR; slow without KVM)
	@tests/vm/run $(KINDS)

.PHONY: clients
clients: ## run containerd, Docker, Podman and others with rt and with runc (root; installs what is missing; CLIENTS, CLIENTSFLAGS)
	@build/deps build clients
	@$(MAKE) --no-print-directory rt
	@tests/clients/run $(CLIENTSFLAGS) $(CLIENTS)

.PHONY: clients-quick
clients-quick: rt ## the fast part of clients, with rt only: docker run, exec and limits (root; part of test)
	@if [ "$$(id -u)" -ne 0 ]; then echo 'clients: SKIPPED: needs root'; exit 0; fi; \
	if ! build/deps docker; then echo 'clients: SKIPPED: no Docker here, and it could not be installed'; exit 0; fi; \
	tests/clients/run --runtime rt --quick docker

.PHONY: arm64-test
arm64-test: cross ## run rt and tests on an emulated arm64 machine (on amd64; ARM64_TESTS chooses; slow)
	@tests/vm/arm64 $(ARM64_TESTS)

.PHONY: conformance
conformance: rt ## run the OCI conformance suite (root)
	@if [ "$$(id -u)" -ne 0 ]; then echo 'conformance: SKIPPED: needs root'; exit 0; fi; tests/conformance/run ./rt

.PHONY: stress
stress: ## use rt and runc for a long time, also under containerd, and count what is left (root; STRESSFLAGS; half an hour)
	@build/deps build test clients
	@$(MAKE) --no-print-directory rt
	$(GO) run ./tests/stress --runtimes ./rt,runc --json build/stress.json $(STRESSFLAGS)

.PHONY: bench
bench: ## measure rt against crun and runc (root; installs what is missing; BENCHFLAGS)
	@build/deps build test bench
	@$(MAKE) --no-print-directory rt
	$(GO) run ./tests/bench --rt ./rt --json build/bench.json $(BENCHFLAGS)

.PHONY: lint
lint: $(EMBEDDED) ## check format, vet, static analysis, sizes, import direction
	@build/deps build lint
	@STAGE_CFLAGS='$(STAGE_CFLAGS)' tests/lint/run

.PHONY: fmt
fmt: build/bin/gofumpt ## format the Go sources
	build/bin/gofumpt -w $$(find . -name '*.go' -not -path './build/*')

build/bin/gofumpt: build/tools/go.mod build/tools/go.sum
	$(GO) build -C build/tools -buildvcs=false -o ../bin/ mvdan.cc/gofumpt

.PHONY: install
install: ## install binary, man pages, completions, docs and contrib below DESTDIR and PREFIX
	@[ -x $(RT) ] || { echo 'install: $(RT) is not built: run make' >&2; exit 1; }
	$(INSTALL) -D -m 0755 $(RT) '$(DESTDIR)$(BINDIR)/rt'
	@set -e; put() { mode=0644; if [ -x "$$1" ]; then mode=0755; fi; $(INSTALL) -v -D -m $$mode "$$1" "$(DESTDIR)$$2"; }; \
	for page in man/*.[1-8]; do put "$$page" "$(MANDIR)/man$${page##*.}/$${page##*/}"; done; \
	put completions/rt.bash '$(PREFIX)/share/bash-completion/completions/rt'; \
	put completions/rt.zsh '$(ZSHDIR)/_rt'; \
	put completions/rt.fish '$(PREFIX)/share/fish/vendor_completions.d/rt.fish'; \
	for file in README.md CHANGELOG.md SECURITY.md LICENSE docs/*; do put "$$file" "$(DOCDIR)/$$file"; done; \
	find contrib -type f ! -name '*_test.go' | sort | while read -r file; do put "$$file" "$(DOCDIR)/$$file"; done

.PHONY: install-as-runc
install-as-runc: ## links to what `make install` has installed: runc, and its manual pages
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man8'
	ln -s rt '$(DESTDIR)$(BINDIR)/runc'
	@set -e; for page in man/*.8; do page=$${page#man/}; ln -s "$$page" "$(DESTDIR)$(MANDIR)/man8/runc$${page#rt}"; done

DEB = build/rt_$(subst -,~,$(VERSION))_$(GOARCH).deb
.PHONY: deb
deb: rt ## make a Debian package, build/rt_VERSION_ARCH.deb (GOARCH=arm64: of the cross build)
	VERSION='$(VERSION)' MAKE='$(MAKE)' build/deb '$(GOARCH)' '$(DEB)' '$(SYSROOT)'
	@echo '$(DEB)'

SBOM = build/rt_$(VERSION)_$(GOARCH).spdx.json
.PHONY: sbom
sbom: rt ## list what is in the binary (SPDX), build/rt_VERSION_ARCH.spdx.json
	GOARCH=$(HOSTARCH) $(GO) run ./build/sbom -version '$(VERSION)' -arch '$(GOARCH)' -time "$$(build/source-date)" \
		-stage $(STAGE) -compiler $(COMPILER) -linked "$$(build/built-using '$(SYSROOT)')" $(RT) >'$(SBOM)'
	@echo '$(SBOM)'

.PHONY: reproducible
reproducible: ## build twice, in different places and surroundings, and compare (FRESH=1: the second time with an empty cache)
	@build/deps build
	@build/reproducible $(if $(FRESH),--fresh)

.PHONY: package-test
package-test: deb sbom ## install and remove the package and `make install`'s tree, and run rt from there
	RT_DEB='$(CURDIR)/$(DEB)' RT_SBOM='$(CURDIR)/$(SBOM)' $(GO) test -count=1 ./tests/packaging ./build/sbom

.PHONY: clean
clean: ## remove what was built
	rm -rf rt rt-amd64 rt-arm64 nsenter/stage nsenter/stage-* libcontainer/seccomp/rt-seccomp* \
		build/bin build/fuzz build/*.json build/*.deb

.PHONY: deps
deps: ## install what a fresh Debian machine with Go, gcc and make lacks (root)
	@build/deps build test lint bench

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
