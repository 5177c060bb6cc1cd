# SPDX-License-Identifier: BSD-2-Clause
#
# make            build, as an ordinary user
# make demo       the main job on a real Xen in QEMU; installs what is missing
# make check      every test; installs what is missing
# make help       the other targets and the variables

CC      ?= cc
AR      ?= ar
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
B       ?= build
# SAN=address,undefined or SAN=thread: build with sanitizers, in build-SAN.
ifdef SAN
comma   := ,
B       := build/san-$(subst $(comma),-,$(SAN))
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef CI
WERROR  := -Werror
endif
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)	$(2)";)

ALL_CFLAGS  = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla $(WERROR) -fPIC \
	-D_GNU_SOURCE -Iinclude -I. $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS = $(LDFLAGS) $(SANFLAGS)

LIB_SRC  := $(wildcard drivers/block-ram/*.c)
BACK_SRC := $(wildcard drivers/blkback/*.c)
TOOL_SRC := $(wildcard tools/xm-ramdisk/*.c)
UNIT_SRC := $(wildcard tests/unit/*.c)
RING_SRC := $(wildcard tests/ring/*.c)
FAKE_SRC := $(wildcard tests/ring/fake/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
obj       = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIB_LIBS  = -laio -lpthread
XEN_LIBS  = -lxenstore -lxengnttab -lxenevtchn -lxentoolcore

PROGRAMS := $(B)/xen-ramdiskd $(B)/xm-ramdisk
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
RING_TESTS := $(patsubst tests/ring/%.c,$(B)/tests/ring/%,$(RING_SRC))
BENCHES  := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(BENCH_SRC))

all: $(B)/libramdisk.a $(PROGRAMS)

# ---- the programs ----------------------------------------------------------

$(B)/obj/%.o: %.c | build-packages
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libramdisk.a: $(call obj,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/xen-ramdiskd: $(call obj,$(BACK_SRC)) $(B)/libramdisk.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(XEN_LIBS) $(LIB_LIBS)

$(B)/xm-ramdisk: $(call obj,$(TOOL_SRC)) $(B)/libramdisk.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxenstore $(LIB_LIBS)

# ---- the tests -------------------------------------------------------------

# A unit test is one file beside the name of the source that it tests.
$(B)/tests/unit/%: tests/unit/%.c $(B)/libramdisk.a tests/cunit.h | test-packages
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(filter-out %/main.o,$(call obj,$(wildcard tools/xm-ramdisk/*.c))) \
		$(B)/libramdisk.a -lcunit -lxenstore $(LIB_LIBS) -lpthread
$(UNIT_TESTS): $(call obj,$(TOOL_SRC))

# A ring test links the backend without its main, and fakes in the place of
# the Xen libraries and of the store.
$(B)/tests/ring/%: tests/ring/%.c $(call obj,$(BACK_SRC) $(FAKE_SRC)) tests/cunit.h | test-packages
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(filter-out %/main.o,$(call obj,$(BACK_SRC) $(FAKE_SRC))) \
		-lcunit -lpthread

$(B)/tests/bench/%: tests/bench/%.c $(B)/libramdisk.a | build-packages
	$(call say,BENCH,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
		$(B)/libramdisk.a $(LIB_LIBS) -lpthread

test-programs: $(UNIT_TESTS) $(RING_TESTS)

check: install-test-packages
	$(Q)$(MAKE) --no-print-directory all test-programs
	$(Q)B=$(B) tests/run

# What strangers may have written, under libFuzzer. FUZZ_SECONDS each. Needs
# clang and its runtime libraries (Debian: clang, libclang-rt-14-dev).
STORE_FUZZ_SRC := $(wildcard tests/fuzz/store-*.c)
FUZZ_SECONDS ?= 60
$(B)/fuzz/store-%: tests/fuzz/store-%.c tests/fuzz/store.h $(LIB_SRC)
	@mkdir -p $(@D)/corpus-store-$*
	$(Q)clang -O1 -g -std=gnu11 -D_GNU_SOURCE -I. -Iinclude \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< $(LIB_SRC) $(LIB_LIBS)

fuzz-store: $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(STORE_FUZZ_SRC))
	$(Q)for f in $^; do $$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
		$(B)/fuzz/corpus-$${f##*/} tests/fuzz/corpus/$${f##*/} || exit 1; done

fuzz: fuzz-store

# The tests that need no virtual machine, for between two edits.
check-quick:
	$(Q)$(MAKE) --no-print-directory all test-programs
	$(Q)B=$(B) tests/run --no-vm

demo: install-demo-packages
	$(Q)$(MAKE) --no-print-directory all
	$(Q)B=$(B) tests/vm/demo

vm-shell: install-demo-packages
	$(Q)$(MAKE) --no-print-directory all
	$(Q)B=$(B) tests/vm/run --shell

bench: $(BENCHES)
	$(Q)for b in $^; do $$b || exit 1; done

# ---- what must be on the machine -------------------------------------------

build-packages test-packages:
	@build-aux/packages $(@:-packages=)
install-test-packages install-demo-packages:
	@build-aux/packages --install $(patsubst install-%-packages,%,$@)

# ---- install ---------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPDIR)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	install -m 644 docs/xm-ramdisk.8 docs/xen-ramdiskd.8 $(DESTDIR)$(MANDIR)/man8
	install -m 644 tools/xm-ramdisk/completion.bash $(DESTDIR)$(COMPDIR)/xm-ramdisk

uninstall:
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(notdir $(PROGRAMS)))
	rm -f $(DESTDIR)$(MANDIR)/man8/xm-ramdisk.8 $(DESTDIR)$(MANDIR)/man8/xen-ramdiskd.8
	rm -f $(DESTDIR)$(COMPDIR)/xm-ramdisk

clean:
	rm -rf build

help:
	@echo 'make              build (as an ordinary user)'
	@echo 'make demo         the main job on a real Xen in QEMU (root: installs packages)'
	@echo 'make check        every test (root: installs packages)'
	@echo 'make check-quick  the tests that need no virtual machine'
	@echo 'make vm-shell     a shell in the test bed'"'"'s Domain-0'
	@echo 'make bench        benchmarks that need no virtual machine'
	@echo 'make fuzz         fuzz the parsers with clang, FUZZ_SECONDS=60 each'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); uninstall takes it back'
	@echo 'make clean        remove build/'
	@echo 'V=1 shows commands; SAN=address,undefined or SAN=thread builds with sanitizers'

.PHONY: all fuzz fuzz-store check check-quick demo vm-shell bench install uninstall clean help \
	test-programs build-packages test-packages \
	install-test-packages install-demo-packages
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
