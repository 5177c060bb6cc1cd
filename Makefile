# SPDX-License-Identifier: BSD-2-Clause
#
# make            build, as an ordinary user
# make demo       the main job on a real Xen in QEMU; installs what is missing
# make check      every test; installs what is missing
# make help       the other targets and the variables

# ARCH=arm64 (or amd64), where that is not this machine's: everything is built for
# that architecture, in build/ARCH, with Debian's cross compiler and Debian's libraries,
# which are unpacked to a sysroot and not installed. No program that was built for it
# is run by the build.
ifneq ($(filter-out $(shell dpkg --print-architecture 2>/dev/null),$(ARCH)),)
triplet_arm64 := aarch64-linux-gnu
triplet_amd64 := x86_64-linux-gnu
# tests/vm finds the programs of another architecture below this folder.
NATIVE_B = $(patsubst %/$(ARCH),%,$(B))
TRIPLET := $(or $(triplet_$(ARCH)),$(error ARCH=$(ARCH): expected amd64 or arm64))
B       ?= build/$(ARCH)
SYSROOT ?= $(B)/sysroot
ifeq ($(origin CC),default)
CC      := $(TRIPLET)-gcc
endif
ifeq ($(origin AR),default)
AR      := $(TRIPLET)-ar
endif
NBDKITDIR ?= /usr/lib/$(TRIPLET)/nbdkit/plugins
endif

NATIVE_B ?= $(B)
CC      ?= cc
AR      ?= ar
CFLAGS  ?= -O2 -g
# Headers and libraries are those below this folder: of a cross compiler.
ifdef SYSROOT
SYSFLAG := --sysroot=$(SYSROOT)
endif
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
INCDIR  ?= $(PREFIX)/include
LIBDIR  ?= $(PREFIX)/lib
UNITDIR ?= $(PREFIX)/lib/systemd/system
# what starts the daemon at boot: systemd, openrc, sysvinit, several of them, or none
INIT    ?= systemd
ifneq ($(filter-out systemd openrc sysvinit none,$(INIT)),)
$(error INIT=$(INIT): expected systemd, openrc, sysvinit or none)
endif
ifeq ($(words $(filter openrc sysvinit,$(INIT))),2)
$(error INIT=$(INIT): the scripts of openrc and sysvinit have the same names; choose one of them)
endif
INITDIR ?= /etc/init.d
SYSCONFDIR ?= /etc
# where Xen's tools look for scripts, whatever the prefix is
SCRIPTDIR ?= /etc/xen/scripts
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
# Below a PREFIX of one's own: an ordinary user, who cannot write anywhere else. Who
# names SCRIPTDIR wants everything.
OWN_PREFIX := $(if $(DESTDIR)$(filter-out file,$(origin SCRIPTDIR))$(filter 0,$(shell id -u)),,yes)
ifdef OWN_PREFIX
NBDKITDIR ?= $(PREFIX)/lib/nbdkit/plugins
endif
# where nbdkit looks, which is not below PREFIX
NBDKITDIR ?= $(or $(shell pkg-config --variable=plugindir nbdkit 2>/dev/null || \
	nbdkit --dump-config 2>/dev/null | sed -n s/^plugindir=//p),/usr/lib/nbdkit/plugins)
B       ?= build
# SAN=address,undefined or SAN=thread: build with sanitizers, in build-SAN.
ifdef SAN
comma   := ,
B       := build/$(if $(TRIPLET),$(ARCH)/)san-$(subst $(comma),-,$(SAN))
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef CI
WERROR  := -Werror
endif
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)	$(2)";)

ALL_CFLAGS  = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla $(WERROR) -fPIC \
	-D_GNU_SOURCE -Iinclude -I. $(SYSFLAG) $(CFLAGS) $(SANFLAGS)
# What stands above the store gets Xen's headers through xen-interface.h. It
# asks for the oldest interface with today's names of rings and grants; a tree
# of Xen's headers that is older stops the build with a sentence.
XEN_CFLAGS = -DXEN_INTERFACE_NEEDED=XEN_INTERFACE_4_0_0 -include xen-interface.h
ALL_LDFLAGS = $(SYSFLAG) $(LDFLAGS) $(SANFLAGS)

# The store's rooms. The tapdisk driver, a room of its own, needs a generation's
# headers: see "the tapdisk driver".
LIB_DIRS := $(addprefix drivers/block-ram/,base format seed io store)
LIB_SRC  := $(wildcard $(addsuffix /*.c,$(LIB_DIRS)))
BACK_SRC := $(wildcard drivers/blkback/*.c drivers/blkback/*/*.c)
NBDKIT_SRC := $(wildcard drivers/nbdkit/*.c)
TOOL_SRC := $(wildcard tools/xm-ramdisk/*.c tools/xm-ramdisk/*/*.c)
UNIT_SRC := $(wildcard tests/unit/*/*.c)
FAKE_SRC := $(wildcard tests/ring/fake/*.c)
RING_SRC := $(filter-out $(FAKE_SRC),$(wildcard tests/ring/*/*.c))
BENCH_SRC := $(filter-out %/tapdisk.c %/ring.c %/costs.c,$(wildcard tests/bench/*.c))
HELPER_SRC := $(wildcard tests/helpers/*.c)
TAPDISK_SRC := $(filter-out %/host1.c %/host2.c,$(wildcard tests/tapdisk/*.c))
# of the backend, in the tool as well
BOTH_SRC := drivers/blkback/common/fault-spec.c drivers/blkback/common/xenstore.c drivers/blkback/common/record.c
obj       = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIB_LIBS  = -laio -lpthread
XEN_LIBS  = -lxenstore -lxengnttab -lxenevtchn -lxentoolcore
BACK_LIBS = -lseccomp

# The soname's number changes with the ABI: see HACKING.md, "The library's ABI".
SONAME   := libramdisk.so.0
LIBRARY  := $(B)/$(SONAME)
PROGRAMS := $(B)/xen-ramdiskd $(B)/xm-ramdisk
NBDKIT_PLUGIN := $(B)/nbdkit-ramdisk-plugin.so
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
RING_TESTS := $(patsubst tests/ring/%.c,$(B)/tests/ring/%,$(RING_SRC))
BENCHES  := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(BENCH_SRC))
# NAME-genN, and NAME-genN-joined over the drop-in file
TAPDISK_TESTS := $(foreach g,0 1 2 3,$(foreach k,$(g) $(g)-joined,$(patsubst \
	tests/tapdisk/%.c,$(B)/tests/tapdisk/%-gen$(k),$(TAPDISK_SRC))))
BENCHES  += $(addprefix $(B)/tests/bench/,tapdisk ring costs)
# what tests/vm/long/tapdisk runs inside
VM_PROGRAMS := $(addprefix $(B)/tests/vm/,unaligned driver-gen3-joined requests-gen3-joined \
	vbd-gen3-joined sectors-gen1-joined sectors-gen2-joined sectors-gen3-joined) \
	$(B)/tests/vm/hostile
HELPERS  := $(patsubst tests/helpers/%.c,$(B)/tests/helpers/%,$(HELPER_SRC))

all: $(B)/libramdisk.a $(LIBRARY) $(PROGRAMS) $(NBDKIT_PLUGIN)

$(call obj,$(BACK_SRC) $(TOOL_SRC)): ALL_CFLAGS += $(XEN_CFLAGS)

# ---- the programs ----------------------------------------------------------

$(B)/obj/%.o: %.c | build-packages
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libramdisk.a: $(call obj,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIBRARY): $(call obj,$(LIB_SRC)) drivers/block-ram/libramdisk.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,-soname,$(SONAME) \
		-Wl,--version-script=drivers/block-ram/libramdisk.map -o $@ $(filter %.o,$^) $(LIB_LIBS)

$(B)/xen-ramdiskd: $(call obj,$(BACK_SRC)) $(B)/libramdisk.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(XEN_LIBS) $(BACK_LIBS) $(LIB_LIBS) -lpthread

$(B)/xm-ramdisk: $(call obj,$(TOOL_SRC) $(BOTH_SRC)) $(B)/libramdisk.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxenstore $(LIB_LIBS)

# Loaded by nbdkit, which looks for plugin_init() and is to find nothing else.
$(NBDKIT_PLUGIN): $(call obj,$(NBDKIT_SRC)) $(B)/libramdisk.a
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,--exclude-libs,ALL -o $@ $^ $(LIB_LIBS)
$(call obj,$(NBDKIT_SRC)): ALL_CFLAGS += -fvisibility=hidden

# ---- the tapdisk driver ----------------------------------------------------

# One file for a tree of blktap: make tapdisk-driver GENERATION=0|1|2|3
GENERATION ?= 3
tapdisk-driver: $(B)/tapdisk/gen$(GENERATION)/block-ram.c
	@echo 'wrote $<: see docs/tapdisk.md'

$(B)/tapdisk/gen%/block-ram.c: build-aux/join-tapdisk LICENSE include/ramdisk.h \
		$(wildcard drivers/block-ram/*/*.[ch])
	$(call say,JOIN,$@)
	@mkdir -p $(@D)
	$(Q)build-aux/join-tapdisk $* > $@.new && mv $@.new $@

# For tests only: the driver against what tests/tapdisk declares. The drop-in
# as a tree of blktap would compile it, without our include paths.
define tapdisk_rules
$(B)/tapdisk/gen$(1)/driver.o: drivers/block-ram/tapdisk/tapdisk.c | build-packages
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -DTAPDISK_GENERATION=$(1) -Itests/tapdisk/gen$(1) \
		-MMD -MP -c -o $$@ $$<
$(B)/tapdisk/gen$(1)/driver-joined.o: $(B)/tapdisk/gen$(1)/block-ram.c | build-packages
	$$(call say,CC,$$@)
	$$(Q)$$(CC) -std=gnu99 -Wall -Wextra -Werror -fPIC $$(SYSFLAG) $$(CFLAGS) $$(SANFLAGS) \
		-Itests/tapdisk/gen$(1) -c -o $$@ $$<
$(B)/tapdisk/gen$(1)/host%.o: tests/tapdisk/host%.c | build-packages
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -DTAPDISK_GENERATION=$(1) -Itests/tapdisk/gen$(1) \
		-MMD -MP -c -o $$@ $$<
$(B)/tests/tapdisk/%-gen$(1): tests/tapdisk/%.c $(B)/tapdisk/gen$(1)/driver.o \
		$(B)/tapdisk/gen$(1)/host1.o $(B)/tapdisk/gen$(1)/host2.o \
		$(B)/libramdisk.a | test-packages
	$$(call tapdisk_test,$(1))
$(B)/tests/tapdisk/%-gen$(1)-joined: tests/tapdisk/%.c $(B)/tapdisk/gen$(1)/driver-joined.o \
		$(B)/tapdisk/gen$(1)/host1.o $(B)/tapdisk/gen$(1)/host2.o \
		$(B)/libramdisk.a | test-packages
	$$(call tapdisk_test,$(1) -DTAPDISK_JOINED)
endef
tapdisk_test = $(Q)$(if $(V),,echo "  TEST	$@";) mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) \
	-DTAPDISK_GENERATION=$(1) -Itests/tapdisk/gen$(firstword $(1)) -MMD -MP -MF $@.d \
	$(ALL_LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) -lcunit $(LIB_LIBS)
$(foreach g,0 1 2 3,$(eval $(call tapdisk_rules,$(g))))

# ---- interface versions: all of it comes from two tables -------------------

IFACE    := tools/xm-ramdisk/interface
IFACE_TSV := $(IFACE)/changes.tsv $(IFACE)/versions.tsv
iface_gen = awk -v what=$(1) -f $(IFACE)/generate.awk $(IFACE_TSV)

$(B)/gen/interface-table.inc: $(IFACE_TSV) $(IFACE)/generate.awk
	$(call say,AWK,$@)
	@mkdir -p $(@D)
	$(Q)$(call iface_gen,tables) > $@
$(call obj,$(IFACE)/table.c): $(B)/gen/interface-table.inc
$(call obj,$(IFACE)/table.c): ALL_CFLAGS += -I$(B)/gen

$(B)/gen/xen-interface.h: $(IFACE_TSV) $(IFACE)/generate.awk $(IFACE)/compat.h.in
	$(call say,AWK,$@)
	@mkdir -p $(@D)
	$(Q)$(call iface_gen,header) $(IFACE)/compat.h.in > $@

$(B)/gen/interface-versions.svg: $(B)/xm-ramdisk
	$(call say,SVG,$@)
	$(Q)$(B)/xm-ramdisk interface list --svg $@

# After a change of the tables: header and picture are in the tree as well, so
# that both can be had without building. The program draws the picture, so this target
# is no part of the build, and not for ARCH=; tests/unit/interface/command.sh compares.
interface: $(B)/gen/xen-interface.h $(B)/gen/interface-versions.svg
	cp $(B)/gen/xen-interface.h include/xen-interface.h
	cp $(B)/gen/interface-versions.svg docs/interface-versions.svg

# After a change of an option: the completions come from the help texts, and are in the
# tree, so that a build for another machine has them; tests/unit/commands/completion.sh compares.
completions: $(PROGRAMS)
	build-aux/completions $(B) tools/completion

# ---- the tests -------------------------------------------------------------

# A unit test is one file beside the name of the source that it tests.
$(B)/tests/unit/%: tests/unit/%.c $(B)/libramdisk.a tests/cunit.h | test-packages
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(filter-out %/main.o,$(call obj,$(TOOL_SRC) $(BOTH_SRC))) \
		$(B)/libramdisk.a -lcunit -lxenstore $(LIB_LIBS) -lpthread
$(UNIT_TESTS): $(call obj,$(TOOL_SRC) $(BOTH_SRC))

# A ring test links the backend without its main, and fakes in the place of
# the Xen libraries and of the store.
RING_REAL := $(addprefix $(B)/tests/ring/,ring/fuzz worker/inside worker/captured \
	supervisor/leftovers ring/restart ring/storm) # on the real store
$(B)/tests/ring/%: tests/ring/%.c $(call obj,$(BACK_SRC) $(FAKE_SRC)) \
		$(B)/libramdisk.a tests/cunit.h | test-packages
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(filter-out %/main.o $(if $(filter $@,$(RING_REAL)),%/fake/store.o), \
		$(call obj,$(BACK_SRC) $(FAKE_SRC))) \
		$(if $(filter $@,$(RING_REAL)),$(B)/libramdisk.a $(LIB_LIBS)) -lcunit $(BACK_LIBS) -lpthread

# The programs themselves, over fakes that are loaded before Xen's libraries.
DAEMON_TESTS := $(addprefix $(B)/tests/daemon/,restart lives watch captured xenstored driver-domain thousand)
$(B)/tests/daemon/xen.so: tests/daemon/xen.c
$(B)/tests/daemon/captured.so: tests/daemon/xen.c tests/daemon/takeover.c
$(B)/tests/daemon/quiet.so: tests/daemon/events.c tests/daemon/events.h
FAKE_XEN := $(addprefix $(B)/tests/daemon/,xen.so captured.so quiet.so)
$(FAKE_XEN): tests/daemon/grants.c tests/daemon/xen.h | build-packages
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(XEN_CFLAGS) -shared -o $@ $(filter %.c,$^)
$(addprefix $(B)/tests/daemon/,restart lives watch captured xenstored driver-domain): tests/daemon/xen.c
$(B)/tests/daemon/thousand: tests/daemon/xenstore-server.c tests/daemon/events.c
$(DAEMON_TESTS): $(B)/%: %.c tests/daemon/grants.c $(wildcard tests/daemon/*.h) tests/cunit.h \
		$(B)/libramdisk.a $(PROGRAMS) $(FAKE_XEN) | test-packages
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(XEN_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ \
		$(filter %.c,$^) $(B)/libramdisk.a -lcunit $(LIB_LIBS) -lpthread

# Benchmarks, and programs that tests run beside what they test.
$(filter-out %/tapdisk %/ring %/costs,$(BENCHES)) $(HELPERS): $(B)/%: %.c $(B)/libramdisk.a | build-packages
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(B)/libramdisk.a $(LIB_LIBS) -lpthread

$(B)/tests/bench/tapdisk: tests/bench/tapdisk.c $(B)/tapdisk/gen1/driver.o \
		$(B)/libramdisk.a | build-packages
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DTAPDISK_GENERATION=1 -Itests/tapdisk/gen1 -MMD -MP \
		-MF $@.d $(ALL_LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) $(LIB_LIBS)

# The backend's request path over the real store and the fake Xen libraries.
$(B)/tests/bench/ring $(B)/tests/bench/costs: $(B)/%: %.c $(call obj,$(BACK_SRC) $(FAKE_SRC)) \
		$(B)/libramdisk.a | build-packages
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -Wl,--wrap=clock_gettime \
		-Wl,--wrap=poll -Wl,--wrap=xenevtchn_pending -Wl,--wrap=xenevtchn_unmask \
		-o $@ $< $(filter-out %/main.o %/fake/store.o,$(call obj,$(BACK_SRC) $(FAKE_SRC))) \
		$(B)/libramdisk.a $(BACK_LIBS) $(LIB_LIBS) -lpthread

$(B)/tests/vm/unaligned: $(B)/tests/unit/seed/unaligned
$(filter-out %/unaligned %/hostile,$(VM_PROGRAMS)): $(B)/tests/vm/%: $(B)/tests/tapdisk/%
$(filter-out %/hostile,$(VM_PROGRAMS)):
	@mkdir -p $(@D) && cp $< $@

# Static and without a sanitizer: a guest has none of the shared libraries.
$(B)/tests/vm/hostile: $(wildcard tests/vm/guest/*.[ch]) | build-packages
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out $(SANFLAGS),$(ALL_CFLAGS)) $(XEN_CFLAGS) -static -o $@ \
		$(filter %.c,$^) -lxenstore -lxengnttab -lxenevtchn -lxentoollog -lxentoolcore -lpthread

# With the benchmarks, so that a change that breaks their build is seen.
test-programs: $(if $(SAN),,$(DAEMON_TESTS) $(BENCHES)) $(UNIT_TESTS) $(RING_TESTS) $(TAPDISK_TESTS) $(HELPERS) $(VM_PROGRAMS)

# The programs and tests for arm64, where they are not this machine's: for tests/unit/tree/cross.sh
# and the scenarios on arm64.
other-programs:
	$(Q)$(MAKE) --no-print-directory ARCH=arm64 CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar \
		SAN= B=$(if $(SAN),build,$(B))/arm64 all test-programs

# One compiler for each processor, unless make was called with -j.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

check: install-test-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all test-programs other-programs
	$(Q)B=$(B) tests/run

# The parsers of untrusted input, the store and the backend under libFuzzer, for
# FUZZ_SECONDS each. Needs clang and its runtime libraries (Debian: clang,
# libclang-rt-14-dev).
FUZZ_SECONDS ?= 60
FUZZ_CC := clang -O1 -g -std=gnu11 -D_GNU_SOURCE -I. -Iinclude -I$(B)/gen \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzzers = $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/$(1)-*.c))

$(B)/fuzz/interface-%: tests/fuzz/interface-%.c $(TOOL_SRC) $(B)/gen/interface-table.inc
	@mkdir -p $(@D)/corpus-$(@F)
	$(Q)$(FUZZ_CC) -o $@ $< $(wildcard $(IFACE)/*.c) \
		$(addprefix tools/xm-ramdisk/base/,file.c json.c message.c process.c text.c)

$(B)/fuzz/store-%: tests/fuzz/store-%.c tests/fuzz/store.h $(LIB_SRC)
	@mkdir -p $(@D)/corpus-$(@F)
	$(Q)$(FUZZ_CC) -o $@ $< $(LIB_SRC) $(LIB_LIBS)

# The backend over the fake Xen libraries, and over the real store.
FUZZ_BACK_SRC = $(filter-out %/main.c,$(BACK_SRC)) \
	$(filter-out %/store.c,$(FAKE_SRC)) $(LIB_SRC)
$(B)/fuzz/blkback-%: tests/fuzz/blkback-%.c tests/fuzz/bytes.h tests/fuzz/ring.h \
		tests/fuzz/nodes.h $(FUZZ_BACK_SRC)
	@mkdir -p $(@D)/corpus-$(@F)
	$(Q)$(FUZZ_CC) $(XEN_CFLAGS) -o $@ $< $(FUZZ_BACK_SRC) $(BACK_LIBS) $(LIB_LIBS)

fuzz: fuzz-interface fuzz-store fuzz-blkback
fuzz-interface: $(call fuzzers,interface)
	$(Q)cp $(IFACE)/compat.h.in $(B)/fuzz/corpus-interface-header
	$(Q)for f in ustar gnu pax v7; do tar --format=$$f -cf \
		$(B)/fuzz/corpus-interface-tar/$$f build-aux $(IFACE)/generate.awk \
		--transform s,build-aux/packages,xen-4/xen/include/public/domctl.h,; done
	$(Q)for l in ctrl guest; do echo 'int x;' | $(CC) -shared -nostdlib -s -x c - \
		-Wl,-soname,libxen$$l.so.4.17 -o $(B)/fuzz/corpus-interface-elf/$$l; done
	$(Q)for f in $^; do $$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 \
		$(B)/fuzz/corpus-$${f##*/} || exit 1; done

fuzz-store: $(call fuzzers,store)
	$(Q)for f in $^; do $$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
		$(B)/fuzz/corpus-$${f##*/} tests/fuzz/corpus/$${f##*/} || exit 1; done

fuzz-blkback: $(call fuzzers,blkback)
	$(Q)for f in $^; do $$f -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=10 \
		-rss_limit_mb=1024 $(B)/fuzz/corpus-$${f##*/} tests/fuzz/corpus/$${f##*/} \
		|| exit 1; done

# The tests that need no virtual machine: a few minutes, after each edit.
check-quick:
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all test-programs other-programs
	$(Q)B=$(B) tests/run --no-vm

# The scenarios in tests/vm/long and the tests in tests/nbd/long, which take longer.
check-long: install-long-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all test-programs other-programs deb
	$(Q)B=$(B) tests/run --long

# A hundred rounds of the scenario restart, and the ring's crash test with a kill at
# every step: hours.
check-restart: install-demo-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all test-programs
	$(Q)RESTART_EVERY=1 $(B)/tests/ring/ring/restart
	$(Q)RESTART_ROUNDS=100 $(B)/tests/daemon/restart $(B)/xen-ramdiskd $(B)/tests/daemon/xen.so
	$(Q)sed 's/^rounds=.*/rounds=100/; s/timeout=[0-9]*/timeout=28800/' \
		tests/vm/scenarios/restart > $(B)/restart-hundred
	$(Q)B=$(B) tests/vm/run --line=1 $(B)/restart-hundred

demo: install-demo-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)B=$(NATIVE_B) tests/vm/demo $(ARCH)

vm-shell: install-demo-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)B=$(NATIVE_B) tests/vm/run $(if $(ARCH),--arch=$(ARCH)) --shell

# All of them, tables, record and picture; see build-aux/bench for the settings.
bench: install-bench-packages
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all $(BENCHES) $(B)/tests/daemon/thousand $(VM_PROGRAMS) $(NBDKIT_PLUGIN) other-programs
	$(Q)B=$(B) build-aux/bench

# ---- what must be on the machine -------------------------------------------

build-packages test-packages: $(if $(TRIPLET),$(filter $(B)/sysroot,$(SYSROOT)))
	@CC='$(CC) $(SYSFLAG) $(CFLAGS)' build-aux/packages $(@:-packages=)
$(B)/sysroot:
	@build-aux/sysroot $(ARCH) $@
install-test-packages install-long-packages install-demo-packages install-bench-packages install-deb-packages:
	@ARCH=$(ARCH) build-aux/packages --install $(patsubst install-%-packages,%,$@)

# ---- install ---------------------------------------------------------------

install_completions = install -d $(addprefix $(DESTDIR),$(COMPDIR) $(ZSHCOMPDIR) $(FISHCOMPDIR)) && \
	install -m 644 tools/completion/$(1).bash $(DESTDIR)$(COMPDIR)/$(1) && \
	install -m 644 tools/completion/$(1).zsh $(DESTDIR)$(ZSHCOMPDIR)/_$(1) && \
	install -m 644 tools/completion/$(1).fish $(DESTDIR)$(FISHCOMPDIR)
completions_of = $(addprefix $(DESTDIR),$(COMPDIR)/$(1) $(ZSHCOMPDIR)/_$(1) $(FISHCOMPDIR)/$(1).fish)

# What works without Xen: the command, and nbdkit's plugin.
install-nbd: $(B)/xm-ramdisk $(NBDKIT_PLUGIN)
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man7 \
		$(MANDIR)/man8 $(NBDKITDIR))
	install -m 755 $(B)/xm-ramdisk $(DESTDIR)$(BINDIR)
	install -m 755 $(NBDKIT_PLUGIN) $(DESTDIR)$(NBDKITDIR)
	install -m 644 docs/nbdkit-ramdisk-plugin.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 docs/xen-ramdisk-disks.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 docs/xen-ramdisk.7 $(DESTDIR)$(MANDIR)/man7
	install -m 644 docs/xm-ramdisk.8 docs/xm-ramdisk-interface.8 $(DESTDIR)$(MANDIR)/man8
	$(call install_completions,xm-ramdisk)

# What needs Xen, and root. An xm-ramdisk in SBINDIR is of an earlier version, and
# root's PATH has SBINDIR first.
install-xen: all
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(SCRIPTDIR) $(MANDIR)/man8 $(INCDIR))
	install -m 755 $(B)/xen-ramdiskd $(DESTDIR)$(SBINDIR)
	install -m 755 tools/hotplug/block-ramdisk $(DESTDIR)$(SCRIPTDIR)
	install -m 644 docs/xen-ramdiskd.8 docs/block-ramdisk.8 $(DESTDIR)$(MANDIR)/man8
	install -m 644 include/xen-interface.h $(DESTDIR)$(INCDIR)
	$(call install_completions,xen-ramdiskd)
	f=$(DESTDIR)$(SBINDIR)/xm-ramdisk; [ ! -e $$f ] || [ $$f -ef $(DESTDIR)$(BINDIR)/xm-ramdisk ] || \
		ln -sf $(BINDIR)/xm-ramdisk $$f

# What loads disks, and starts the daemon and servers, at boot: root's.
init_systemd = drivers/blkback/xen-ramdiskd.service.in $(wildcard tools/init/systemd/*.in)
init_openrc = $(wildcard tools/init/openrc/*.in)
init_sysvinit = $(wildcard tools/init/sysvinit/*.in)
init_folder = $(DESTDIR)$(if $(filter systemd,$(1)),$(UNITDIR),$(INITDIR))
init_installed = $(addprefix $(call init_folder,$(1))/,$(notdir $(basename $(init_$(1)))))
define install_init
install -d $(call init_folder,$(1))
for f in $(init_$(1)); do \
	to=$(call init_folder,$(1))/$$(basename $$f .in) && \
	sed 's,@SBINDIR@,$(SBINDIR),; s,@BINDIR@,$(BINDIR),' $$f > $$to && \
	chmod $(if $(filter systemd,$(1)),644,755) $$to || exit 1; done

endef
DISKS = $(DESTDIR)$(SYSCONFDIR)/xen-ramdisk/disks
install-boot:
	$(foreach i,$(filter-out none,$(INIT)),$(call install_init,$(i)))
	install -d $(dir $(DISKS))
	[ -e $(DISKS) ] || install -m 644 docs/examples/disks $(DISKS)

# A file of disks that the administrator has written stays.
uninstall-boot:
	rm -f $(foreach i,systemd openrc sysvinit,$(call init_installed,$(i)))
	! cmp -s docs/examples/disks $(DISKS) || rm $(DISKS)
	rmdir $(dir $(DISKS)) 2>/dev/null || true

ifdef OWN_PREFIX
install: install-nbd
	@echo 'installed for this user, below $(PREFIX): the command and the plugin of nbdkit.'
	@echo 'The backend for Xen needs root: make install as root.'
uninstall: uninstall-nbd uninstall-dev
else
install: install-nbd install-xen install-boot
uninstall: uninstall-nbd uninstall-xen uninstall-boot uninstall-dev
endif

# The library, for programs of others.
RD_VERSION := $(shell sed -n 's/^.define RD_VERSION "\(.*\)"/\1/p' include/ramdisk.h)
LIBRARY_PAGES = $(shell sed -n 's,^[[:space:]]*\(rd_[a-z_]*\);$$,\1,p' drivers/block-ram/libramdisk.map)
install-dev: $(B)/libramdisk.a $(LIBRARY)
	install -d $(addprefix $(DESTDIR),$(INCDIR) $(LIBDIR)/pkgconfig $(MANDIR)/man3)
	install -m 644 include/ramdisk.h $(DESTDIR)$(INCDIR)
	install -m 644 $(B)/libramdisk.a $(LIBRARY) $(DESTDIR)$(LIBDIR)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libramdisk.so
	sed 's,@PREFIX@,$(PREFIX),; s,@INCDIR@,$(INCDIR),; s,@LIBDIR@,$(LIBDIR),; s,@VERSION@,$(RD_VERSION),' \
		drivers/block-ram/libramdisk.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libramdisk.pc
	install -m 644 docs/libramdisk.3 $(DESTDIR)$(MANDIR)/man3
	for f in $(LIBRARY_PAGES); do ln -sf libramdisk.3 $(DESTDIR)$(MANDIR)/man3/$$f.3; done

uninstall-dev:
	rm -f $(DESTDIR)$(INCDIR)/ramdisk.h $(addprefix $(DESTDIR)$(LIBDIR)/,libramdisk.a libramdisk.so $(SONAME) \
		pkgconfig/libramdisk.pc)
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man3/,$(addsuffix .3,libramdisk $(LIBRARY_PAGES)))

# After a change of a comment in ramdisk.h; tests/unit/library/library.sh compares.
library-manual:
	build-aux/library-manual include/ramdisk.h > docs/libramdisk.3

uninstall-nbd:
	rm -f $(DESTDIR)$(BINDIR)/xm-ramdisk $(call completions_of,xm-ramdisk)
	rm -f $(DESTDIR)$(NBDKITDIR)/$(notdir $(NBDKIT_PLUGIN))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,man1/nbdkit-ramdisk-plugin.1 man5/xen-ramdisk-disks.5 \
		man7/xen-ramdisk.7 man8/xm-ramdisk.8 man8/xm-ramdisk-interface.8)

uninstall-xen:
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,xen-ramdiskd xm-ramdisk) $(call completions_of,xen-ramdiskd)
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man8/,xen-ramdiskd.8 block-ramdisk.8)
	rm -f $(DESTDIR)$(SCRIPTDIR)/block-ramdisk
	rm -f $(DESTDIR)$(INCDIR)/xen-interface.h

# The libraries of a cross build are in the sysroot, not installed (-d).
DEB_CROSS = $(if $(TRIPLET),env -u CC -u AR -u CFLAGS SYSROOT=$(realpath $(SYSROOT)))
# Debian packages, in $(B)/deb, from a copy of this tree; lintian must be content.
deb: install-deb-packages $(if $(TRIPLET),build-packages)
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb/tree
	$(Q)tar -c --exclude=./build --exclude=./.git . | tar -x -C $(B)/deb/tree
	$(call say,DEB,$(B)/deb)
	$(Q)cd $(B)/deb/tree && MAKEFLAGS= $(DEB_CROSS) dpkg-buildpackage -b -us -uc $(if $(TRIPLET),-a $(ARCH) -d) > ../log 2>&1 || \
		{ tail -n 40 ../log; exit 1; }
	$(Q)rm -rf $(B)/deb/tree
	$(Q)lintian --fail-on error,warning --display-info --show-overrides $(B)/deb/*.changes

# As .clang-format says, which `make check` asks for. The header of interface
# versions is generated.
format:
	$(Q)git ls-files '*.[ch]' ':!include/xen-interface.h' | xargs clang-format -i

clean:
	rm -rf build

help:
	@echo 'make              build (as an ordinary user)'
	@echo 'make demo         the main job on a real Xen in QEMU (root: installs packages)'
	@echo 'make check        every test (root: installs packages)'
	@echo '                  two parts at once; TEST_JOBS=1: one after the other'
	@echo 'make check-quick  the tests that need no virtual machine'
	@echo 'make check-long   scenarios of the test bed that take longer (tests/vm/long)'
	@echo 'make check-restart  a hundred rounds of killing under guests (hours)'
	@echo 'make vm-shell     a shell in the test bed'"'"'s Domain-0'
	@echo 'make bench        every benchmark, here and in the test bed (root: installs packages);'
	@echo '                  docs/bench; BENCH_ROUNDS=N BENCH_ONLY=NAMES BENCH_VM=no BENCH_GO_ON=yes'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); uninstall takes it back'
	@echo '                  INIT=systemd|openrc|sysvinit|none, or several: what starts it at boot'
	@echo 'make install-boot  only what is started at boot, and /etc/xen-ramdisk/disks'
	@echo 'make install-nbd  only what works without Xen; an ordinary user with a PREFIX below'
	@echo '                  the home gets this from make install as well'
	@echo 'make deb          Debian packages, in build/deb or build/ARCH/deb (root: installs packages)'
	@echo 'make install-dev  the library, for programs of others: libramdisk(3)'
	@echo 'make library-manual  libramdisk(3), after a change of ramdisk.h'
	@echo 'make tapdisk-driver  block-ram.c for a tree of blktap, GENERATION=0|1|2|3'
	@echo 'make interface    header and picture of the interface versions, after a new release'
	@echo 'make completions  of bash, zsh and fish, after a change of an option'
	@echo 'make fuzz         fuzz parsers, store and backend with clang, FUZZ_SECONDS=60 each'
	@echo 'make format       lay the C files out as .clang-format says'
	@echo 'make clean        remove build/'
	@echo 'ARCH=arm64 builds for arm64 on another machine, in build/arm64; SYSROOT=DIR has the libraries'
	@echo 'V=1 shows commands; SAN=address,undefined or SAN=thread builds with sanitizers'

.PHONY: uninstall-dev library-manual completions check-long check-restart all format interface fuzz fuzz-interface fuzz-store fuzz-blkback check check-quick demo vm-shell bench \
	install install-nbd install-xen install-boot uninstall uninstall-nbd uninstall-xen uninstall-boot clean help \
	tapdisk-driver test-programs other-programs build-packages test-packages \
	install-test-packages install-long-packages install-demo-packages install-bench-packages install-deb-packages \
	install-dev deb
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
