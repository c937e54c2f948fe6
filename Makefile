# SPDX-License-Identifier: Apache-2.0
#
# brass. GNU make, nothing else: `make` works as it is; ./configure is optional
# and only writes build/config.mk. `make help` lists the targets.
#
# Everything made lands in $(B). A variant is a directory of its own:
#   make                          build/
#   make SAN=address,undefined    build/san-address-undefined/
#   make COVERAGE=1               build/cov/
#   make FUZZ=1                   build/fuzz/   (clang, libFuzzer)
#   make STATIC=1                 build/static/ (for any distribution)
#
# Nothing here may need a compiler or pkg-config when the file is read: on a
# fresh machine contrib/setup installs them in a recipe, and a second make goes on.

VERSION = 0.1.0

-include build/config.mk

ifeq ($(origin CC),default)
CC = gcc
endif
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
INSTALL ?= install
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
CRIU ?= yes
LIBCAP ?= yes
LIBSECCOMP ?= yes
# The two libraries are linked statically where their .a is there: a shim runs once
# per pod, and each library that is mapped costs it dirty pages.
STATIC_LIBS ?= yes
# So is the C library: ld.so's work costs more time and dirty pages than all of ours.
STATIC_LIBC ?= yes
# Code at a random address (PIE) costs some 30 kB per shim, of tables that are relocated.
PIE ?= yes
FUZZ_SECONDS ?= 600

# ------------------------------------------------------------ variants

comma := ,
ifdef SAN
B ?= build/san-$(subst $(comma),-,$(SAN))
OPT ?= -O1 -g -fno-omit-frame-pointer
VARIANT_FLAGS = -fsanitize=$(SAN) -fno-sanitize-recover=all
else ifdef COVERAGE
B ?= build/cov
OPT ?= -O0 -g
VARIANT_FLAGS = --coverage
else ifdef FUZZ
CC = clang
B ?= build/fuzz
OPT ?= -O1 -g -fno-omit-frame-pointer
VARIANT_FLAGS = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else
B ?= $(if $(STATIC),build/static,build)
OPT ?= -O2 -g
HARDEN = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
GEN = $(B)/gen

# --------------------------------------------------------------- flags

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-align \
	-Wimplicit-fallthrough -fno-common $(if $(WERROR),-Werror)

# $(call once,NAME,COMMAND): the output of COMMAND, run when first needed.
once = $(if $(filter undefined,$(origin $1_once)),$(eval $1_once := $(shell $2)))$($1_once)
# $(call lib,MODULE,ARCHIVE): how to link MODULE.
lib = $(or $(if $(filter yes,$(STATIC_LIBS)),$(wildcard $(call once,$1_dir,\
	$(PKG_CONFIG) --variable=libdir $1)/$2)),$(call once,$1_libs,$(PKG_CONFIG) --libs $1))

PB_CFLAGS = $(call once,pb,$(PKG_CONFIG) --cflags libprotobuf-c)
YAJL_CFLAGS = $(patsubst %/yajl,%,$(call once,yajl,$(PKG_CONFIG) --cflags yajl))
LIBS = $(call lib,libprotobuf-c,libprotobuf-c.a) $(call lib,yajl,libyajl_s.a)
# Of the operator's tool, and never of the shim.
NAME_LIBS = $(if $(filter yes,$(LIBCAP)),$(call lib,libcap,libcap.a)) \
	$(if $(filter yes,$(LIBSECCOMP)),$(call lib,libseccomp,libseccomp.a))
PROTO_PATH = $(addprefix -I,$(sort $(call once,pi,$(PKG_CONFIG) --variable=includedir protobuf) \
	$(call once,pci,$(PKG_CONFIG) --variable=includedir libprotobuf-c)))

ALL_CPPFLAGS = -D_GNU_SOURCE -I. -I$(GEN) $(HARDEN) $(PB_CFLAGS) $(YAJL_CFLAGS) $(CPPFLAGS)
pie = $(if $(filter yes,$(PIE)),$1,$2)
BASE_CFLAGS = -std=gnu11 $(OPT) $(call pie,-fPIE,-fno-pie) -fvisibility=hidden -fstack-protector-strong \
	-ffunction-sections -fdata-sections $(CFLAGS)
COMMON_LDFLAGS = -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed $(LDFLAGS)
STATIC_LDFLAGS = $(call pie,-static-pie,-static -no-pie) $(COMMON_LDFLAGS)
ALL_LDFLAGS = $(if $(STATIC),$(STATIC_LDFLAGS),$(call pie,-pie,-no-pie) $(COMMON_LDFLAGS))
# The sanitizers and gcov need the shared library.
static = $(if $(SAN)$(COVERAGE)$(FUZZ),,$(if $(filter yes,$(STATIC_LIBC)),$(wildcard \
	$(call once,libc,$(CC) -print-file-name=libc.a))))
SHIM_LDFLAGS = $(if $(static),$(STATIC_LDFLAGS),$(ALL_LDFLAGS))
COMPILE = $(CC) $(ALL_CPPFLAGS) $(BASE_CFLAGS) $(VARIANT_FLAGS) $(WARN) -MMD -MP

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$1' '$(or $2,$@)')
# A name with a quote or a blank in it would have to be escaped; there is none.
objs = $(patsubst %.c,$(B)/obj/%.o,$1)

# ------------------------------------------------------------- sources

TTRPC_SRC = $(patsubst %,ttrpc/%.c,loop frame conn call server client status)
SPEC_SRC = $(patsubst %,spec/%.c,json json-value json-out escape walk config endpoint options \
	map map-read options-toml output rewrite toml toml-scalar toml-text check check-config check-filter \
	check-foreign check-guess check-linux check-mapping check-mount check-output check-process check-resources check-rules check-store)
# Libraries that know names; without them the checker says what it does not check. Only the
# tool asks them, so that no shim has them in its memory.
SPEC_SRC += $(if $(filter yes,$(LIBCAP)),spec/check-cap.c,spec/check-cap-none.c) \
	$(if $(filter yes,$(LIBSECCOMP)),spec/check-seccomp.c,spec/check-seccomp-none.c)
# Checkpoint and restore need criu at run time; without it they answer that they are not there.
CHECKPOINT = $(if $(filter yes,$(CRIU)),checkpoint,checkpoint-none)
SHIM_SRC = $(patsubst %,shim/%.c,action args bootstrap bundle cgroup cgroup-enable cgroup-kill cgroup-remove $(CHECKPOINT) command console container control create delete direct err event \
	flags gather hint info inspect io io-open kill launch limits lines log logfile logger memory mount mount-fuse mount-idmap mount-loop \
	mount-options mount-overlay mount-target mount-undo oom op options pace pack pids process reap relay remove \
	runtime serve service sha256 sink socket spawn start state stats stats-v1 stats-v2 tty uri util verdict)

# The operator's tool: brass.c is the program, the rest an archive, for tests.
TOOL_SRC = $(patsubst %,shim/tool/%.c,ask base64 call doctor doctor-config doctor-files doctor-judge \
	doctor-version doctor-once doctor-host doctor-programs explain explain-cgroup explain-create \
	explain-document explain-map explain-mounts explain-print inspect message-read \
	message-write ps ps-print shims timestamp tree types usage validate document excerpt)

API = bootstrap events forward inspect linux_runc metrics_v1 metrics_v2 runc_options runtimeoptions task types \
	google/protobuf/any google/protobuf/empty google/protobuf/timestamp
API_C = $(API:%=$(GEN)/%.pb-c.c)
TTRPC_C = $(GEN)/ttrpc.pb-c.c
GEN_C = $(TTRPC_C) $(API_C)
GEN_H = $(GEN_C:.c=.h) $(GEN)/version.h

SHIM = $(B)/containerd-shim-brass-v2
BRASS = $(B)/brass
# libttrpc.a stands alone; the order is that of the dependencies.
ARCHIVES = $(B)/libshim.a $(B)/libspec.a $(B)/libttrpc.a $(B)/libapi.a
TOOL_ARCHIVES = $(B)/libtool.a $(ARCHIVES)

UNIT = $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/test-*.c)))
E2E = $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/e2e/test-*.c)))
DIFF_SRC = $(sort $(wildcard tests/diff/*.c))
DIFF = $(B)/tests/diff/test-diff
MUTATE_SRC = $(sort $(wildcard tests/mutate/*.c))
MUTATE = $(B)/tests/mutate/test-mutate
BENCH_SRC = $(filter-out tests/bench/test-%,$(sort $(wildcard tests/bench/*.c)))
BENCH = $(B)/tests/bench/bench
# What the shim costs, against tests/bench/baseline: says something of a plain build only.
GUARD = $(if $(SAN)$(COVERAGE)$(FUZZ),,$(B)/tests/bench/test-guard)
FUZZERS = $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz/fuzz-*.c)))
HOST = $(sort $(wildcard tests/host/*.bats))
# What more than one test of a folder shares is linked to each of them.
UNIT_COMMON = $(filter-out tests/unit/test-%,$(sort $(wildcard tests/unit/*.c)))
E2E_COMMON = $(filter-out tests/e2e/test-%,$(sort $(wildcard tests/e2e/*.c)))
# tests/fake/fake-NAME.c is a program, any other file there a library to preload.
FAKE_SRC = $(sort $(wildcard tests/fake/*.c))
FAKES = $(patsubst tests/fake/%.c,$(B)/%,$(filter tests/fake/fake-%,$(FAKE_SRC))) \
	$(patsubst tests/fake/%.c,$(B)/%.so,$(filter-out tests/fake/fake-%,$(FAKE_SRC)))
# What tests call: a console socket; the shim of a build without criu.
TOOLS = $(B)/take-console $(B)/shim-without-criu $(B)/dynamic/containerd-shim-brass-v2
TEST_SRC = $(sort $(wildcard tests/unit/*.c tests/e2e/*.c tests/diff/*.c tests/host/*.c \
	tests/fuzz/*.c tests/mutate/*.c tests/bench/*.c))
OWN_SRC = $(TTRPC_SRC) $(SPEC_SRC) $(SHIM_SRC) shim/main.c $(TOOL_SRC) shim/tool/brass.c
HEADERS = $(sort $(wildcard ttrpc/*.h spec/*.h shim/*.h shim/tool/*.h))

# --------------------------------------------------------------- build

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests FORCE
all: $(SHIM) $(BRASS) $(B)/libttrpc.a $(B)/libttrpc.pc

$(SHIM): $(B)/obj/shim/main.o $(ARCHIVES)
	$(call say,LINK)
	$(Q)$(CC) $(BASE_CFLAGS) $(VARIANT_FLAGS) $(SHIM_LDFLAGS) -o $@ $^ $(LIBS)
	$(Q)sync $@ # until it is on the disk, its pages count as dirty in every shim

$(BRASS): $(B)/obj/shim/tool/brass.o $(TOOL_ARCHIVES)
	$(call say,LINK)
	$(Q)$(CC) $(BASE_CFLAGS) $(VARIANT_FLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(NAME_LIBS)

$(B)/libttrpc.a: $(call objs,$(TTRPC_SRC)) $(TTRPC_C:.c=.o)
$(B)/libspec.a: $(call objs,$(SPEC_SRC))
$(B)/libshim.a: $(call objs,$(SHIM_SRC))
$(B)/libtool.a: $(call objs,$(TOOL_SRC))
$(B)/libapi.a: $(API_C:.c=.o)
# A file that the lists have lately can be older than what was made without it.
$(ARCHIVES) $(B)/libtool.a: Makefile
$(B)/%.a:
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(B)/obj/%.o: %.c $(B)/flags | $(GEN_H)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) -c -o $@ $<

# The generated code is not ours to clean: no warnings.
$(GEN)/%.pb-c.o: $(GEN)/%.pb-c.c $(B)/flags | $(GEN_H)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -w -c -o $@ $<

# A release brings the generated code along, and needs no protoc-c.
READY = $(wildcard contrib/gen)
ifneq ($(READY),)
$(GEN_C) $(GEN_C:.c=.h): $(GEN)/%: $(READY)/%
	$(Q)mkdir -p $(@D) && cp $< $@
else
protoc = mkdir -p $(GEN) && $(PROTOC_C) --c_out=$(GEN)
$(GEN)/google/protobuf/%.pb-c.c $(GEN)/google/protobuf/%.pb-c.h:
	$(call say,PROTO)
	$(Q)$(protoc) $(PROTO_PATH) google/protobuf/$*.proto
$(GEN)/ttrpc.pb-c.c $(GEN)/ttrpc.pb-c.h &: ttrpc/ttrpc.proto
	$(call say,PROTO)
	$(Q)$(protoc) -Ittrpc $(PROTO_PATH) $<
$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h: shim/api/%.proto
	$(call say,PROTO)
	$(Q)$(protoc) -Ishim/api $(PROTO_PATH) $<
endif

# A flag that changes rebuilds everything, a new revision only what prints it.
$(B)/flags: FORCE
	@mkdir -p $(@D) && echo '$(COMPILE) $(SHIM_LDFLAGS) $(LIBS) $(NAME_LIBS)' >$@.new && \
		{ cmp -s $@.new $@ && rm $@.new || mv $@.new $@; }
$(GEN)/version.h: FORCE
	@mkdir -p $(@D) && rev=$$(cat .revision 2>/dev/null || \
		git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown) && \
	printf '#define BRASS_VERSION "%s"\n#define BRASS_REVISION "%s"\n' \
		'$(VERSION)' "$$rev" >$@.new && \
		{ cmp -s $@.new $@ && rm $@.new || mv $@.new $@; }
# PREFIX may be given to "make install" only.
$(B)/libttrpc.pc: contrib/libttrpc.pc.in FORCE
	@mkdir -p $(@D) && sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

# --------------------------------------------------------------- tests

link_test = $(CC) $(BASE_CFLAGS) $(VARIANT_FLAGS) $(ALL_LDFLAGS) $(LDFLAGS_$(@F)) -o $@ $^ $(LIBS) $(NAME_LIBS)
# This one decides when there is memory.
LDFLAGS_test-oom = -Wl,--wrap=malloc
CMOCKA = $(call once,cmocka,$(PKG_CONFIG) --libs cmocka)

$(UNIT): $(B)/%: $(B)/obj/%.o $(call objs,$(UNIT_COMMON)) $(TOOL_ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(CMOCKA)
$(E2E): $(B)/%: $(B)/obj/%.o $(call objs,$(E2E_COMMON)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(CMOCKA)
$(DIFF): $(call objs,$(DIFF_SRC) $(E2E_COMMON)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(CMOCKA)
$(MUTATE): $(call objs,$(MUTATE_SRC)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test)
$(BENCH): $(call objs,$(BENCH_SRC) $(E2E_COMMON)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(CMOCKA)
$(GUARD): $(call objs,tests/bench/test-guard.c tests/bench/trace.c $(E2E_COMMON)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(CMOCKA)
$(FUZZERS): $(B)/%: $(B)/obj/%.o $(if $(FUZZ),,$(call objs,tests/fuzz/replay.c)) $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test) $(if $(FUZZ),-fsanitize=fuzzer)
$(B)/take-console: $(B)/obj/tests/host/console.o
	$(call say,LINK)
	$(Q)$(link_test)
# Into a static program no library can be preloaded.
$(B)/dynamic/containerd-shim-brass-v2: $(B)/obj/shim/main.o $(ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(link_test)
# It stands before the archives, so that nothing takes the other one out of them.
$(B)/shim-without-criu: $(call objs,shim/main.c shim/checkpoint-none.c) $(ARCHIVES)
	$(call say,LINK)
	$(Q)$(link_test)
# The fakes stand in for strangers' programs: no sanitizer, none of our libraries.
$(B)/fake-%: tests/fake/fake-%.c $(wildcard tests/fake/*.h) $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g $(WARN) -I. $(if $(filter nothing,$*),$(if $(static),-static)) -o $@ $<
$(B)/%.so: tests/fake/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g $(WARN) -I. -fPIC -shared -o $@ $<

VALGRIND_TESTS = $(patsubst %,$(B)/tests/e2e/test-%,life exec)
.PHONY: unit-tests churn soak check check-valgrind check-mutate check-unit check-e2e check-faults check-diff check-host check-matrix check-vm check-docker check-fuzz check-san check-deps check-docs headers
TESTS = $(UNIT) $(FUZZERS) $(E2E)
tests: $(SHIM) $(BRASS) $(TESTS) $(GUARD) $(FAKES) $(TOOLS) $(if $(SAN)$(COVERAGE),,$(DIFF) $(MUTATE))

# The sanitizers come on top of a plain build only.
SANITIZERS = address,undefined
SAN_B = $(if $(SAN)$(COVERAGE),,$(B)/san-address-undefined)
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
check:            ## everything, with sanitizers too; installs what it needs; root
	@contrib/setup build check
	@$(SUBMAKE) B=$(B) headers tests
	$(if $(SAN_B),@$(SUBMAKE) SAN=$(SANITIZERS) B=$(SAN_B) tests)
	@tests/run tests/check-deps tests/check-pains tests/check-bounds $(GUARD) $(TESTS) $(if $(SAN_B),$(DIFF) $(MUTATE) $(TESTS:$(B)/%=$(SAN_B)/%)) \
		BRASS_BUILD=$(B) tests/check-docs $(HOST) $(if $(SAN_B),BRASS_BUILD=$(SAN_B) $(HOST))
unit-tests: $(UNIT)
check-unit: $(UNIT) ## the unit tests (this and the next ones: SAN= COVERAGE= as you like)
	@tests/run $(UNIT)
check-fuzz: $(FUZZERS) ## replays tests/fuzz/corpus
	@tests/run $(FUZZERS)
check-e2e: $(SHIM) $(BRASS) $(FAKES) $(TOOLS) $(E2E) ## the real binary over a fake runtime
	@tests/run $(E2E)
check-faults: $(SHIM) $(FAKES) $(TOOLS) $(B)/tests/e2e/test-faults ## every call that can fail, one by one; minutes
	@E2E_FAULTS=all TEST_TIMEOUT=1200 tests/run $(B)/tests/e2e/test-faults
check-mutate: $(MUTATE) ## what the checker calls an error, runc refuses: 6000 changed documents; root
	@tests/run MUTATE_DOCUMENTS=6000 MUTATE_RUNS=600 TEST_TIMEOUT=1800 $(MUTATE)
check-diff: $(SHIM) $(DIFF) ## the stock shim and ours, side by side; runc, busybox; root
	@tests/run $(DIFF)
check-host: $(SHIM) $(BRASS) $(FAKES) $(TOOLS) ## real containerd and runc; root
	@tests/run BRASS_BUILD=$(B) $(HOST)
MATRIX = all
check-matrix:     ## all of it on three containerds, runc and crun, CRI, Docker, cgroup v2; MATRIX=quick; root
	@contrib/setup build check hosts
	@$(SUBMAKE) B=$(B) tests
	@BRASS_BUILD=$(B) tests/matrix $(MATRIX)
check-vm:         ## machines with cgroup v2 alone, with systemd and without; root
	@$(MAKE) --no-print-directory check-matrix MATRIX='vm/plain vm/systemd'
check-docker:     ## Docker 26 and 28 over brass; root
	@$(MAKE) --no-print-directory check-matrix \
		MATRIX='docker/trixie/brass docker/forky/drop-in'
check-san:        ## unit, fuzz replay and e2e under ASan and UBSan
	@$(SUBMAKE) SAN=$(SANITIZERS) B=$(SAN_B) tests
	@tests/run $(TESTS:$(B)/%=$(SAN_B)/%)
churn: $(SHIM) $(FAKES) $(B)/tests/e2e/test-churn ## 2,000 containers, 20,000 execs, 10 min without containerd
	@CHURN_CONTAINERS=2000 CHURN_EXECS=20000 CHURN_AWAY=600 TEST_TIMEOUT=7200 \
		tests/run $(B)/tests/e2e/test-churn
check-valgrind: $(FAKES) $(TOOLS) $(VALGRIND_TESTS) ## the e2e life and execs with the shim under memcheck
	@tests/run BRASS_BUILD=$(B) TEST_TIMEOUT=1200 $(VALGRIND_TESTS:%=VALGRIND_TEST=% tests/check-valgrind)
check-docs: $(SHIM) $(BRASS) ## the manual pages and completions say what the programs say
	@tests/run BRASS_BUILD=$(B) tests/check-docs
soak: $(SHIM) $(FAKES) $(B)/tests/e2e/test-soak ## 100,000 execs leave nothing; a minute of idleness
	@SOAK_EXECS=100000 SOAK_IDLE=60 TEST_TIMEOUT=7200 tests/run $(B)/tests/e2e/test-soak
.PHONY: check-static
check-static: $(FAKES) $(TOOLS) $(E2E) ## the static build, over the fake runtime
	@$(SUBMAKE) STATIC=1 B=build/static all build/static/shim-without-criu
	@for f in containerd-shim-brass-v2 brass; do \
		! readelf -l build/static/$$f | grep INTERP || exit; done
	@BRASS_SHIM=$(abspath build/static/containerd-shim-brass-v2) tests/run $(E2E)
check-deps:       ## who may include and call what; whether tests/pains names tests that are there
	@tests/run tests/check-deps tests/check-pains tests/check-bounds
headers: $(GEN_H) ## each header compiles alone
	$(Q)for h in $(HEADERS); do \
		$(COMPILE) -MF /dev/null -fsyntax-only -include $$h -x c /dev/null || exit; done

FUZZ_NAMES = $(FUZZERS:$(B)/tests/fuzz/%=%)
.PHONY: $(FUZZ_NAMES)
$(FUZZ_NAMES):    # fuzz-NAME: runs that target for FUZZ_SECONDS
	@$(SUBMAKE) FUZZ=1 B=build/fuzz build/fuzz/tests/fuzz/$@
	@mkdir -p build/fuzz/corpus/$(@:fuzz-%=%) tests/fuzz/corpus/$(@:fuzz-%=%)
	build/fuzz/tests/fuzz/$@ -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/$(@:fuzz-%=%) \
		tests/fuzz/corpus/$(@:fuzz-%=%)

.PHONY: check-fresh coverage demo bench bench-baseline check-guard
bench:            ## the stock shim and ours, measured in turns (BENCH_GROUPS="...": only those); root
	@contrib/setup build demo check bench
	@$(SUBMAKE) $(SHIM) $(BENCH) $(FAKES)
	@tests/bench/run $(B) $(BENCH_GROUPS)
bench-baseline: $(SHIM) $(GUARD) $(FAKES) ## what check's guard compares with: takes today's figures
	@GUARD_RENEW=tests/bench/baseline $(GUARD)
check-guard: $(SHIM) $(GUARD) $(FAKES) ## what a shim costs, against tests/bench/baseline
	@tests/run $(GUARD)
check-fresh:      ## demo and check on a new Debian 12 that has git and make; root
	@contrib/check-fresh
demo:             ## a container through containerd, brass and runc; installs; root
	@contrib/setup build demo
	@$(SUBMAKE) all
	@BRASS_BUILD=$(abspath $(B)) contrib/demo
coverage:         ## line coverage of the unit and e2e tests, per file
	@$(SUBMAKE) COVERAGE=1 B=build/cov tests
	@find build/cov -name '*.gcda' -delete
	@tests/run $(TESTS:$(B)/%=build/cov/%)
	@for f in $(OWN_SRC); do gcov -n -o build/cov/obj/$${f%.c}.o $$f 2>/dev/null | \
		awk -v f="$$f" -F'[:% ]' '$$1 == "File" { own = index($$0, f) } \
		own && /^Lines/ { print $$3, $$NF, f; own = 0 }'; done | \
		awk '{ printf "%6.1f%% of %5d  %s\n", $$1, $$2, $$3; n += $$2; c += $$1 * $$2 } \
		END { if (n) printf "%6.1f%% of %5d  together\n", c / n, n }'

# ------------------------------------------------------- the source itself

.PHONY: format format-check tidy analyze lint compile_commands.json help
FORMATTED = $(wildcard ttrpc/*.[ch] spec/*.[ch] shim/*.[ch] shim/tool/*.[ch] tests/*/*.[ch])
# A help, and no law: tables and macros read better as they were written.
format:           ## clang-format; look at what it did to tables
	clang-format -i $(FORMATTED)
format-check:
	clang-format --dry-run $(FORMATTED)
tidy: compile_commands.json $(GEN_H) ## clang-tidy
	clang-tidy --quiet -p $(B) $(OWN_SRC)
# One check is left out: it does not see that a report keeps its rows (shim/tool/ps.c). Leaks are
# looked for where they happen, by LeakSanitizer and memcheck.
analyze: $(GEN_H) ## gcc -fanalyzer
	$(Q)printf '%s\n' $(OWN_SRC) | xargs -P $(shell nproc) -I@ $(COMPILE) -Werror -fanalyzer -Wno-analyzer-malloc-leak \
		-MF /dev/null -S -o /dev/null @
lint: analyze tidy ## all that reads the code without running it
compile_commands.json: ## for editors; in $(B)
	@mkdir -p $(B) && for f in $(OWN_SRC) $(TEST_SRC); do printf \
		'{"directory":"%s","file":"%s","command":"%s -c %s"},\n' \
		'$(CURDIR)' $$f '$(COMPILE) -MF /dev/null' $$f; done | \
		sed -e '1s/^/[/' -e '$$s/,$$/]/' >$(B)/$@
help:             ## this list
	@sed -n 's/^\([a-z0-9_.-]*\):[^#]*## */\1\t/p' Makefile | expand -t 24
	@echo 'fuzz-NAME               tests/fuzz/fuzz-NAME.c for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'Variables: V=1 WERROR=1 SAN= COVERAGE=1 FUZZ=1 STATIC=1 B= CC= CFLAGS= PREFIX= DESTDIR='

# ------------------------------------------------------- install and release

.PHONY: install uninstall clean dist distcheck
TTRPC_HEADERS = ttrpc/ttrpc.h ttrpc/loop.h ttrpc/list.h
COMPLETIONS = $(DATADIR)/bash-completion/completions/brass \
	$(DATADIR)/zsh/site-functions/_brass $(DATADIR)/fish/vendor_completions.d/brass.fish
INSTALLED = $(BINDIR)/containerd-shim-brass-v2 $(BINDIR)/brass $(LIBDIR)/libttrpc.a \
	$(LIBDIR)/pkgconfig/libttrpc.pc $(TTRPC_HEADERS:%=$(INCLUDEDIR)/%) \
	$(MANDIR)/man1/brass.1 $(MANDIR)/man8/containerd-shim-brass-v2.8 $(COMPLETIONS)
install: all      ## PREFIX (/usr/local), DESTDIR
	$(INSTALL) -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	$(INSTALL) $(SHIM) $(BRASS) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(B)/libttrpc.a $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 644 $(B)/libttrpc.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	$(INSTALL) -m 644 $(TTRPC_HEADERS) $(DESTDIR)$(INCLUDEDIR)/ttrpc
	$(INSTALL) -m 644 contrib/man/brass.1 $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 contrib/man/containerd-shim-brass-v2.8 $(DESTDIR)$(MANDIR)/man8
	$(foreach shell,bash zsh fish,$(INSTALL) -m 644 contrib/completion/brass.$(shell) \
		$(DESTDIR)$(filter $(DATADIR)/$(shell)%,$(COMPLETIONS)) &&) :
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/ttrpc
clean:            ## build/ away, all variants
	rm -rf $(B) build autom4te.cache

DIST = brass-$(VERSION)
DIST_TIME = --mtime=@$(call once,dist_time,git log -1 --format=%ct)
dist:             ## $(B)/brass-VERSION.tar.gz of what is committed, with configure and generated code
	@contrib/setup build dist
	@$(SUBMAKE) B=$(B) $(GEN_C)
	$(Q)rm -rf $(B)/dist && mkdir -p $(B)/dist
	$(Q)git archive --prefix=$(DIST)/ HEAD | tar -x -C $(B)/dist
	$(Q)git rev-parse --short=12 HEAD >$(B)/dist/$(DIST)/.revision
	$(Q)cd $(B)/dist/$(DIST) && autoconf && rm -rf autom4te.cache
	$(Q)mkdir $(B)/dist/$(DIST)/contrib/gen && cd $(GEN) && cp --parents -t $(abspath $(B))/dist/$(DIST)/contrib/gen \
		$(patsubst $(GEN)/%,%,$(GEN_C) $(GEN_C:.c=.h))
	$(Q)chmod -R u=rwX,go=rX $(B)/dist
	$(Q)tar -C $(B)/dist --sort=name --owner=0 --group=0 --numeric-owner $(DIST_TIME) \
		-c $(DIST) | gzip -9n >$(B)/$(DIST).tar.gz
	$(Q)rm -rf $(B)/dist && echo $(B)/$(DIST).tar.gz
distcheck: dist   ## makes it twice, unpacks it, builds it without protoc-c, git and autoconf
	@$(SUBMAKE) B=$(B)/dist-again dist
	cmp $(B)/$(DIST).tar.gz $(B)/dist-again/$(DIST).tar.gz
	tests/distcheck $(B)/$(DIST).tar.gz

.PHONY: deb rpm check-packages check-cross
deb: dist         ## Debian's packages of what is committed, in $(B)/deb; lintian
	@contrib/setup deb
	contrib/packages/deb $(B)/$(DIST).tar.gz $(B)/deb
	lintian --allow-root --fail-on error,warning,info --display-info $(B)/deb/*.changes
rpm: dist         ## the same for rpm, in $(B)/rpm; rpmlint
	@contrib/setup rpm
	contrib/packages/rpm $(B)/$(DIST).tar.gz $(B)/rpm
	rpmlint -c contrib/packages/rpmlint.toml contrib/packages/brass.spec $(B)/rpm/*.rpm
check-packages: deb ## made twice, they are the same; dpkg installs, upgrades, removes them over containers; root
	@contrib/setup fresh
	contrib/packages/deb $(B)/$(DIST).tar.gz $(B)/deb-again
	cd $(B)/deb && for f in *.deb *.dsc; do cmp $$f ../deb-again/$$f || exit; done
	tests/packages/check $(B)/deb
check-cross: dist ## builds for arm64 and i386, runs the unit tests under qemu; root
	@contrib/setup fresh
	tests/cross arm64 $(B)/$(DIST).tar.gz
	tests/cross i386 $(B)/$(DIST).tar.gz

-include $(patsubst %.c,$(B)/obj/%.d,$(OWN_SRC) $(TEST_SRC)) $(GEN_C:.c=.d)
