# Builds onsale, runs it, tests it.
#
#   make          build/onsale                  make run      serve it on stores of its own
#   make test     all layers, one line of counts make lint    clang-tidy, cppcheck, format, layering
#   make fresh    run and test in new Debians   make clean    removes what was built
#   make docs     Swagger UI for /docs          make fuzz     libFuzzer, RUNS=10000000 of each target
#   make faults   ten minutes of faults (MINUTES=, SEED=) make faults-check   planted bugs are caught
#                 the long run, some half an hour of two cores:  make faults SANITIZER= FAULTS=500 PAID=100000
#                     BUYERS=250 CAPACITY=200 ROWS_LEAST=200 ROWS=330 A_ROUND=24
#   make storm    deadlock storms of a minute   make overload ten times the holds that can be had
#   make soak     MINUTES=30: does it grow?     make valgrind memcheck under the same load
#   make swarm    USERS=1000 people buy from a running make run
#   make pictures takes the README's pictures of the page anew
#   make bench    beside nginx, webdis, pgbench and peers (QUICK=1: under 2 minutes; ONLY=polls,holds)
#
# What flows through: every .c file of a room becomes an object under $(BUILD)/obj; all of them make
# $(BUILD)/onsale, all but server/main.o make $(BUILD)/rooms.a, which each layer of tests links.
# The packages that a build needs are installed by the rule for $(BUILD)/libraries.mk, which make
# includes: it is made first, and make then starts over with what it says.

.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
all:

comma := ,
ROOMS := proto/base proto config db queue lock server
LAYERS := unit flow live wire faults soak

# Where things go: build/, build-san/ with SANITIZER=address,undefined, or BUILD=folder.
SANITIZER ?=
ifneq ($(SANITIZER),)
BUILD ?= build-$(if $(filter address$(comma)undefined,$(SANITIZER)),san,$(subst $(comma),-,$(SANITIZER)))
else
BUILD ?= build
endif

PORT ?= 8080
RUN_DIR ?= .run
SUITES ?= bookworm trixie
LAYER ?=
FILTER ?=
TEST_DIR ?= .test
RUNS ?= 10000000
TARGET ?=
MINUTES ?=
USERS ?= 1000
QUICK ?=
ONLY ?=

# Targets that compile nothing in this make, so that it need not know the libraries.
PLAIN_GOALS := clean clean-run run swarm tour test pictures faults faults-check overload storm soak valgrind fresh layering docs help \
	fuzz fuzz-coverage bench instructions
ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/libraries.mk
endif

ifeq ($(origin CC),default)
CC := gcc
endif
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
ifneq ($(SANITIZER),)
OPTIMIZE := -O1 -g -fsanitize=$(SANITIZER) -fno-omit-frame-pointer -fno-sanitize-recover=all
# gcc guesses these from the flow of values, which the instrumented code hides from it.
WARNINGS += -Wno-unknown-warning-option -Wno-format-truncation -Wno-maybe-uninitialized
else
OPTIMIZE := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
# config/run/hardening.sh looks into the binary for each of these.
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE \
	$(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE -I. $(LIBRARY_CFLAGS) $(OPTIMIZE) $(HARDEN) -pthread \
	-MMD -MP $(CFLAGS)
LINK = $(CC) $(OPTIMIZE) $(HARDEN) -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack $(CFLAGS) $(LDFLAGS)

SOURCES := $(wildcard $(ROOMS:%=%/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
LLHTTP_OBJECTS := $(patsubst $(LLHTTP_SOURCE)/%.c,$(BUILD)/obj/llhttp/%.o,\
	$(if $(LLHTTP_SOURCE),$(wildcard $(LLHTTP_SOURCE)/*.c)))

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$(2)')

.PHONY: all clean clean-run run swarm tour test tests pictures faults faults-check overload storm soak valgrind lint layering docs fresh \
	help compile_commands fuzz fuzz-coverage fuzz-programs bench instructions
all: $(BUILD)/onsale

help:
	@sed -n '3,/^#$$/s/^#   //p' Makefile

# Packages and what pkg-config says of the libraries. Made anew when the list changes.
$(BUILD)/libraries.mk: config/run/packages config/run/packages.sh config/run/libraries.sh
	@config/run/packages.sh run
	@mkdir -p $(@D)
	@config/run/libraries.sh >$@.new && mv $@.new $@

$(BUILD)/onsale: $(OBJECTS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIBRARIES)

# Virtual users for load tests. The unit tests link what of it is no program.
SWARM_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard bench/swarm/*.c))
$(BUILD)/swarm.a: $(filter-out %/main.o,$(SWARM_OBJECTS))
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/swarm: $(SWARM_OBJECTS) $(BUILD)/rooms.a
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIBRARIES) -lm

$(BUILD)/obj/%.o: %.c Makefile $(BUILD)/libraries.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(WARNINGS) -c -o $@ $<

$(BUILD)/obj/llhttp/%.o: $(LLHTTP_SOURCE)/%.c Makefile $(BUILD)/libraries.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -w -DLLHTTP_STRICT_MODE=1 -c -o $@ $<

# EMBED (proto/base/embed.h) puts whole files into an object, which the compiler's dependency files
# do not tell: every object of a room hangs on all that its folders hold besides C.
embedded = $(shell find $(1) -type f ! -name '*.[cho]' ! -name '.*' 2>/dev/null)
define room_embeds
$(filter $(BUILD)/obj/$(1)/%,$(OBJECTS)): $(call embedded,$(1))
endef
$(foreach room,db queue lock,$(eval $(call room_embeds,$(room))))
$(filter $(BUILD)/obj/server/%,$(OBJECTS)): $(call embedded,server) $(wildcard proto/*.yaml)

# The page embeds one file that is not ours: the assembler finds it below $(BUILD).
CHART_JS := /usr/share/javascript/chart.js/chart.min.js
$(BUILD)/obj/server/web_files.o: COMPILE += -I$(BUILD)
$(BUILD)/obj/server/web_files.o: $(BUILD)/web/chart.js
$(BUILD)/web/chart.js: $(BUILD)/libraries.mk
	@mkdir -p $(@D)
	$(Q)cp $(CHART_JS) $@

# Each layer of tests is one Criterion program out of tests/LAYER/*.c and tests/support/*.c.
$(BUILD)/rooms.a: $(filter-out $(BUILD)/obj/server/main.o,$(OBJECTS)) $(LLHTTP_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

objects_of = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
SUPPORT_OBJECTS := $(call objects_of,tests/support)
$(SUPPORT_OBJECTS): $(call embedded,tests/support)
unit_ARCHIVE := $(BUILD)/swarm.a
define layer_program
$(1)_OBJECTS := $(call objects_of,tests/$(1))
$$($(1)_OBJECTS): $(call embedded,tests/$(1))
$(BUILD)/tests/$(1): $$($(1)_OBJECTS) $(SUPPORT_OBJECTS) $$($(1)_ARCHIVE) $(BUILD)/rooms.a
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$^ $$(LIBRARIES) -lcriterion
endef
$(foreach layer,$(LAYERS),$(eval $(call layer_program,$(layer))))
TEST_PROGRAMS := $(foreach layer,$(LAYERS),$(if $(wildcard tests/$(layer)/*.c),$(BUILD)/tests/$(layer)))
tests: $(TEST_PROGRAMS)

# What tests load into a server of theirs: tests/support/allocations.h.
$(BUILD)/tests/preload.so: tests/preload/allocations.c tests/support/allocations.h Makefile
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(COMPILE) $(WARNINGS) -fno-builtin -fPIC -shared -o $@ $<

# A fuzz target is one file of tests/fuzz, linked with libFuzzer: by clang, as config/run/fuzz.sh calls it.
FUZZ_TARGETS := $(filter-out support,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
fuzz-programs: $(FUZZ_PROGRAMS)
$(FUZZ_PROGRAMS): $(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/support.o $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBRARIES)
$(BUILD)/fuzz/idp: $(BUILD)/obj/tests/support/idp.o

-include $(FUZZ_TARGETS:%=$(BUILD)/obj/tests/fuzz/%.d) $(BUILD)/obj/tests/fuzz/support.d
-include $(SWARM_OBJECTS:.o=.d)
-include $(OBJECTS:.o=.d) $(SUPPORT_OBJECTS:.o=.d) $(foreach layer,$(LAYERS),$($(layer)_OBJECTS:.o=.d))

run:
	@PORT='$(PORT)' RUN_DIR='$(RUN_DIR)' BUILD='$(BUILD)' SANITIZER='$(SANITIZER)' \
		exec env --default-signal=INT,TERM config/run/run.sh

# EVENT, PERFORMANCE and LIMIT (seconds) may be said, too.
swarm:
	@USERS='$(USERS)' RUN_DIR='$(RUN_DIR)' BUILD='$(BUILD)' exec env --default-signal=INT,TERM config/run/swarm.sh

tour:
	@PORT='$(PORT)' exec config/run/tour.sh check

test:
	@LAYER='$(LAYER)' FILTER='$(FILTER)' BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh

# What the tests of the page saw, where the README shows it.
pictures:
	@LAYER=web FILTER='a picture of' BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh
	@mkdir -p tests/web/screenshots
	@cp '$(TEST_DIR)/web/waiting_room.png' '$(TEST_DIR)/web/seat_map.png' tests/web/screenshots

# STORM_SECONDS each: two that must have no deadlock, and one on a planted bug that must have some.
storm:
	@LAYER=storm FILTER= BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh

# RUNS executions of each target, or of TARGET alone; what they find is kept in .fuzz/.
fuzz:
	@RUNS='$(RUNS)' TARGET='$(TARGET)' config/run/fuzz.sh run

# The share of each parser's lines that the corpus runs.
fuzz-coverage:
	@config/run/fuzz.sh coverage

# What holds and payments there are with ten times as many offered as PostgreSQL can do, on a core of its own.
overload:
	@LAYER=faults FILTER='overload/*' BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh

# What else may be said of a run stands in tests/faults/run.c.
faults:
	@LAYER=faults FILTER= MINUTES='$(or $(MINUTES),$(if $(FAULTS)$(PAID),60,10))' BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh

faults-check:
	@LAYER=bugs FILTER= BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/test.sh

# Two instances under a mixed load for MINUTES: resident memory and descriptors may not grow.
soak:
	@MINUTES='$(or $(MINUTES),30)' BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/soak.sh memory

valgrind:
	@BUILD='$(BUILD)' TEST_DIR='$(TEST_DIR)' \
		exec env --default-signal=INT,TERM config/run/soak.sh valgrind

# What it measures stands in bench/rows.py. It writes bench/RESULTS.md and bench/plots/, but not with QUICK.
bench:
	@config/run/packages.sh run bench
	@$(MAKE) --no-print-directory -s BUILD='$(BUILD)' SANITIZER= all \
		$(if $(wildcard bench/swarm/*.c),'$(BUILD)/swarm')
	@QUICK='$(QUICK)' ONLY='$(ONLY)' BUILD='$(BUILD)' exec env --default-signal=INT,TERM python3 bench/run.py

# Counts the hot paths' instructions anew; make test compares with what this leaves in bench/instructions.txt.
instructions:
	@config/run/packages.sh run test
	@$(MAKE) --no-print-directory -s BUILD='$(BUILD)' SANITIZER= all
	@BUILD='$(BUILD)' exec env --default-signal=INT,TERM bench/instructions.sh record

lint: compile_commands
	@BUILD='$(BUILD)' exec config/run/lint.sh

# For clang-tidy and for editors.
compile_commands:
	@{ comma='['; for file in $(SOURCES) $(wildcard tests/*/*.c bench/*/*.c); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s"}' "$$comma" '$(CURDIR)' \
			"$$file" '$(filter-out -MMD -MP,$(COMPILE)) $(WARNINGS) -c '"$$file"; \
		comma=','; \
	done; echo ']'; } >compile_commands.json

layering:
	@config/run/layering.sh

# Swagger UI for /docs, through npm; the server reads it at its next start.
docs:
	@config/run/packages.sh docs
	@config/run/docs.sh '$(BUILD)'

fresh:
	@SUITES='$(SUITES)' exec config/run/fresh.sh

clean:
	rm -rf build build-*/ .test .bench compile_commands.json

clean-run:
	@RUN_DIR='$(RUN_DIR)' config/run/clean-run.sh
