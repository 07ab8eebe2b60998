# SPDX-License-Identifier: MIT
# Every command of the project; `make help` lists them.

LUA_VERSION ?= 5.4
BUILD       ?= build/$(LUA_VERSION)
CC          ?= gcc
V           ?= 0
Q           := $(if $(filter 0,$(V)),@,)

# What LuaRocks may give instead
ifeq ($(LUA_VERSION),luajit)
LUA_INCDIR  ?= $(firstword $(wildcard /usr/include/luajit-2.1 /usr/include/luajit-2.0))
LUA_ABI     := 5.1
LUA         ?= luajit
else
LUA_INCDIR  ?= /usr/include/lua$(LUA_VERSION)
LUA_ABI     := $(LUA_VERSION)
LUA         ?= lua$(LUA_VERSION)
endif
PREFIX       ?= /usr/local
LUA_LIBDIR   ?= $(PREFIX)/lib/lua/$(LUA_ABI)
LUA_SHAREDIR ?= $(PREFIX)/share/lua/$(LUA_ABI)
LUA_BINDIR   ?= $(PREFIX)/bin
LIBFLAG      ?= -shared
LWS_INCDIR     ?=
LWS_LIBDIR     ?=
OPENSSL_INCDIR ?=
OPENSSL_LIBDIR ?=
ZLIB_INCDIR    ?=
ZLIB_LIBDIR    ?=

# ZLIB=no builds without compression, and needs no zlib
ZLIB     ?= yes
ifeq ($(ZLIB),no)
NO_ZLIB  := -DSTOMP_NO_DEFLATE
else
LIBZ     := $(addprefix -L,$(ZLIB_LIBDIR)) -lz
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wwrite-strings -Wundef -Wcast-qual -Wvla
CFLAGS   ?= -O2 -g
STRICT   := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) $(NO_ZLIB)
INCLUDES := -Isrc -I$(LUA_INCDIR) \
            $(addprefix -I,$(LWS_INCDIR) $(OPENSSL_INCDIR) $(ZLIB_INCDIR))

CORE_SRC := $(wildcard src/core/*.c) $(wildcard src/os/*.c)
BIND_SRC := src/lua/support.c src/lua/lua_frame.c src/lua/lua_options.c \
            src/lua/lua_calls.c
COREMOD_SRC := $(CORE_SRC) $(BIND_SRC) src/lua/lua_parser.c \
               src/lua/lua_connection.c src/lua/lua_random.c \
               src/lua/lua_websocket.c src/lua/core.c
LWSMOD_SRC := $(CORE_SRC) $(wildcard src/tls/*.c) $(wildcard src/io/*.c) \
              $(BIND_SRC) src/lua/lua_link.c src/lua/lua_listener.c \
              src/lua/lws.c

objects = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))
COREMOD := $(BUILD)/stomp/core.so
LWSMOD  := $(BUILD)/stomp/lws.so
MODULES ?= $(COREMOD) $(LWSMOD)

.PHONY: all
all: $(MODULES) ## build both modules for LUA_VERSION (5.4) into build/

.PHONY: core
core: $(COREMOD) ## build stomp.core alone (needs no libwebsockets)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC  $<",:)
	$(Q)$(CC) $(STRICT) $(INCLUDES) -MMD -MP $(CFLAGS) -c -o $@ $<

# built anew when ZLIB is not what it was
$(BUILD)/obj/core/deflate.o: $(BUILD)/zlib-$(ZLIB)

$(BUILD)/zlib-$(ZLIB):
	@mkdir -p $(@D)
	@rm -f $(BUILD)/zlib-*
	@touch $@

$(COREMOD): $(call objects,$(COREMOD_SRC))
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD  $@",:)
	$(Q)$(CC) $(LIBFLAG) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(LIBZ)

# never unloaded: its thread may run while Lua closes its libraries
$(LWSMOD): $(call objects,$(LWSMOD_SRC))
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD  $@",:)
	$(Q)$(CC) $(LIBFLAG) $(CFLAGS) -Wl,-z,nodelete -o $@ $^ $(LDFLAGS) \
	  $(addprefix -L,$(LWS_LIBDIR) $(OPENSSL_LIBDIR)) \
	  -lwebsockets -lssl -lcrypto -lpthread $(LIBZ)

-include $(patsubst %.o,%.d,$(call objects,$(sort $(COREMOD_SRC) $(LWSMOD_SRC))))

# ---- For people ----

.PHONY: help env deps demo install uninstall clean format
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'

env: ## print what a shell needs to use the checkout as built
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(BUILD)/?.so;;"'

deps: ## install the Debian packages that building and testing need
	@tools/deps.sh build test

RUN := LUA_PATH="lua/?.lua;lua/?/init.lua;./?.lua;;" LUA_CPATH="$(BUILD)/?.so;;"

demo: ## the main job, on the embedded broker, or BROKER=ws://… [LOGIN= PASSCODE=]
	@tools/deps.sh build
	@$(MAKE) -s all
	@$(RUN) BROKER="$(BROKER)" LOGIN="$(LOGIN)" PASSCODE="$(PASSCODE)" \
	  $(LUA) examples/quickstart.lua

LUA_FILES := $(shell cd lua && find stomp -name '*.lua' 2>/dev/null)

install: $(MODULES) ## install for LUA_VERSION; DESTDIR and PREFIX are honoured
	for f in $(LUA_FILES); do \
	  install -D -m 644 "lua/$$f" "$(DESTDIR)$(LUA_SHAREDIR)/$$f" || exit 1; done
	for f in $(MODULES); do \
	  install -D -m 755 "$$f" "$(DESTDIR)$(LUA_LIBDIR)/stomp/$$(basename $$f)" \
	    || exit 1; done

	# the first line names the interpreter that the modules are for: "lua" may be another
	if [ "$(words $(MODULES))" != 1 ]; then \
	  install -D -m 755 bin/stomp "$(DESTDIR)$(LUA_BINDIR)/stomp" && \
	  sed -i '1s|env lua$$|env $(notdir $(LUA))|' "$(DESTDIR)$(LUA_BINDIR)/stomp"; fi

uninstall: ## remove what install installed
	rm -rf "$(DESTDIR)$(LUA_SHAREDIR)/stomp"
	rm -f "$(DESTDIR)$(LUA_BINDIR)/stomp" \
	      "$(DESTDIR)$(LUA_LIBDIR)/stomp/core.so" \
	      "$(DESTDIR)$(LUA_LIBDIR)/stomp/lws.so"
	-rmdir "$(DESTDIR)$(LUA_LIBDIR)/stomp"

clean: ## remove what was built
	rm -rf build

# LuaRocks: objects of one Lua version must not serve another, and the folder of
# a rock that is built is thrown away. ROCK=core is the rock without I/O.
.PHONY: rock rock-build rock-install
ROCK_BUILD := build/rock
rock-build:
	rm -rf $(ROCK_BUILD)
	$(MAKE) BUILD=$(ROCK_BUILD) $(if $(filter core,$(ROCK)),core,all)

rock-install:
ifeq ($(ROCK),core)
	install -D -m 755 $(ROCK_BUILD)/stomp/core.so "$(LUA_LIBDIR)/stomp/core.so"
else
	$(MAKE) BUILD=$(ROCK_BUILD) install
endif

rock: ## install with LuaRocks into build/tree (TREE=…), without the network
	@tools/deps.sh build test
	@tools/rock.sh "$(or $(TREE),build/tree)"

C_FILES := $(wildcard src/*/*.[ch] spec/c/*.[ch] spec/oom/*.c fuzz/*.[ch] bench/*.c bench/*/*.c examples/*.c tools/*.[ch])

format: ## lay out the C sources
	clang-format-14 -i $(C_FILES)

# ---- Tests ----

.PHONY: test check lint asan tsan valgrind gc chaos cluster activemq artemis mutants simulate bench autobahn portable
test: ## every test, a real RabbitMQ included; the last line counts them
	@tools/deps.sh build test
	@$(MAKE) -s all
	@$(MAKE) -s all LUA_VERSION=5.1
	@tools/test.sh

check: test lint ## test and lint

.PHONY: docs
docs: ## the interface as HTML, into build/doc; a warning fails
	@tools/deps.sh docs
	@ldoc --merge --fatalwarnings . | grep -v '^found master module'

lint: ## luacheck, warnings of gcc and clang, layout, layers, symbols
	@tools/deps.sh build lint
	@tools/lint.sh

SANITIZE := -O1 -g -fno-omit-frame-pointer

# (the specs of fork run on Lua 5.1, whose LuaPosix is whole)
asan: ## the specs on modules built with ASan and UBSan
	@tools/deps.sh build test
	@$(MAKE) -s all BUILD=build/asan \
	  CFLAGS="$(SANITIZE) -fsanitize=address,undefined -fno-sanitize-recover=all"
	@$(MAKE) -s all LUA_VERSION=5.1
	@tools/sanitized.sh asan

tsan: ## the specs on modules built with TSan
	@tools/deps.sh build test
	@$(MAKE) -s all BUILD=build/tsan CFLAGS="$(SANITIZE) -fsanitize=thread"
	@$(MAKE) -s all LUA_VERSION=5.1
	@tools/sanitized.sh tsan

valgrind: valgrind-c ## the C tests and the specs under valgrind
	@tools/deps.sh build test
	@$(MAKE) -s all
	@$(MAKE) -s all LUA_VERSION=5.1
	@tools/sanitized.sh valgrind

cluster: ## three RabbitMQ nodes, killed in turn while confirmed sends run
	@tools/deps.sh build test
	@$(MAKE) -s all
	@busted --run=cluster --lua=$(LUA) --cpath="./$(BUILD)/?.so" spec/cluster

activemq artemis: ## the client on a real ActiveMQ (Classic 5 and 6; Artemis), by Maven
	@tools/deps.sh build test
	@$(MAKE) -s all
	@busted --lua=$(LUA) --cpath="$(BUILD)/?.so" --run=$@ spec/activemq

chaos: ## a RabbitMQ killed and restarted under confirmed sends (CYCLES=20)
	@tools/deps.sh build test
	@$(MAKE) -s all
	@tools/chaos.sh $(or $(CYCLES),20)

gc: ## the specs with a full collection every 10,000 instructions
	@tools/deps.sh build test
	@$(MAKE) -s all
	@$(MAKE) -s all LUA_VERSION=5.1
	@tools/sanitized.sh gc

mutants: ## change the core place by place (N=500 SEED=1 FILE=…): do tests see it?
	@tools/deps.sh build
	@$(LUA) tools/mutants.lua N="$(N)" SEED="$(SEED)" FILE="$(FILE)"

autobahn: ## Autobahn's WebSocket suite against our client role (CASES="1.* 12.1.*"; needs a Python 2.7)
	@tools/deps.sh build test
	@$(MAKE) -s all
	@CASES="$(CASES)" tools/autobahn.sh

simulate: ## clients and broker in a virtual world (SEEDS=100000 FIRST=1, or SEED=n alone)
	@tools/deps.sh build
	@$(MAKE) -s all
	@LUA="$(LUA)" BUILD="$(BUILD)" tools/simulate.sh "$(SEED)" "$(SEEDS)" "$(FIRST)"

bench: ## speed and memory against @stomp/stompjs, as ratios; what confirming costs
	@tools/deps.sh build test bench
	@$(MAKE) -s all
	@bench/run.sh

# a program on the core alone, see docs/core.md
.PHONY: embed
embed: build/examples/embed ## build examples/embed.c: STOMP over TCP in C, without Lua

build/examples/embed: examples/embed.c $(wildcard src/core/*.[ch])
	@mkdir -p $(@D)
	$(Q)$(CC) $(STRICT) -DSTOMP_NO_DEFLATE -Isrc $(CFLAGS) -o $@ $< $(wildcard src/core/*.c)

.PHONY: bench-codec
bench-codec: ## the codec against stompjs's and a hand-written one, as ratios
	@tools/deps.sh build test bench
	@$(MAKE) -s all
	@bench/codec/run.sh

# C tests: one program for each file of spec/c, linked with objects of the core
# that are built once a kind. FOLDER, COMPILER, FLAGS, OBJECTS, LIBRARIES, FLAGS OF
# THE OBJECTS ALONE
TEST_HEADS := $(wildcard src/*/*.h spec/c/*.h)
CORE_OBJS  := $(CORE_SRC:src/%.c=obj/%.o)
TLS_OBJS   := $(patsubst src/%.c,obj/%.o,$(wildcard src/tls/*.c))
TEST_LIBS  := -lssl -lcrypto -lpthread $(LIBZ)
C_TESTS    := $(patsubst spec/c/%.c,%,$(wildcard spec/c/*_test.c))
# those of the core alone; without zlib
CORE_TESTS := $(filter-out tls_test linear_test,$(C_TESTS))
BARE_TESTS := $(filter-out deflate_test bomb_test,$(CORE_TESTS))

comma := ,

define c_tests
.SECONDARY: $(addprefix $(1)/,$(4))
$(1)/obj/%.o: src/%.c $(TEST_HEADS)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(STRICT) -Isrc $(3) $(6) -c -o $$@ $$<
$(1)/%: spec/c/%.c $(TEST_HEADS) $(addprefix $(1)/,$(4))
	$$(Q)$(2) $(STRICT) -Isrc $(3) -o $$@ $$< $(addprefix $(1)/,$(4)) $(5)
endef

UBSAN := -fsanitize=address,undefined -fno-sanitize-recover=all
# there is no zlib for these
BARE  := -O2 -static -Werror -DSTOMP_NO_DEFLATE

$(eval $(call c_tests,build/test,$(CC),$(SANITIZE) $(UBSAN),\
  $(CORE_OBJS) $(TLS_OBJS),$(TEST_LIBS)))
# what linear_test.c counts: basic blocks, and calls of these
LINEAR := -fsanitize-coverage=trace-pc -fno-builtin
LINEAR_WRAP := $(addprefix -Wl$(comma)--wrap=,memcpy memmove memset memcmp memchr \
  strlen)
$(eval $(call c_tests,build/linear,$(CC),-O1 -g,$(CORE_OBJS),$(LINEAR_WRAP) $(LIBZ),$(LINEAR)))
$(eval $(call c_tests,build/plain,$(CC),-O2 -g,\
  $(CORE_OBJS) $(TLS_OBJS),$(TEST_LIBS)))
$(eval $(call c_tests,build/coverage/c,$(CC),-O0 -g --coverage,$(CORE_OBJS),$(LIBZ)))
$(eval $(call c_tests,build/i686,i686-linux-gnu-gcc,$(BARE),$(CORE_OBJS),))
$(eval $(call c_tests,build/s390x,s390x-linux-gnu-gcc,$(BARE),$(CORE_OBJS),))

run-%: build/test/%
	@$<

run-linear_test: build/linear/linear_test
	@$<

.PHONY: coverage
coverage: ## which lines and branches of the core no test takes
	@tools/deps.sh build test coverage
	@rm -rf build/coverage
	@$(MAKE) -s $(CORE_TESTS:%=build/coverage/c/%)
	@$(MAKE) -s core BUILD=build/coverage/lua CFLAGS="-O0 -g --coverage" >/dev/null
	@$(LUA) tools/coverage.lua $(CORE_TESTS)

VALGRIND_TESTS := $(filter-out linear_test,$(C_TESTS))
.PHONY: valgrind-c
valgrind-c: ## the C tests alone under valgrind, built without sanitizers
	@tools/deps.sh build test
	@$(MAKE) -s $(VALGRIND_TESTS:%=build/plain/%)
	@tools/valgrind.sh $(VALGRIND_TESTS)

# the bindings without memory: modules whose malloc is spec/oom/host.c's, which
# is a Lua of its own
OOM_NAMES := $(foreach f,malloc calloc realloc strdup free,-D$(f)=oom_$(f))
build/oom/host: spec/oom/host.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(STRICT) -I$(LUA_INCDIR) $(SANITIZE) $(UBSAN) -rdynamic -o $@ $< \
	  -llua$(LUA_VERSION)

OOM_MODULE = $(MAKE) -s $(1) BUILD=build/oom CFLAGS="$(SANITIZE) $(UBSAN) $(OOM_NAMES)"
OOM_TESTS := $(addsuffix _test,codec session session_unit parts websocket handshake \
               negotiation deflate oom)

.PHONY: oom oom-quick
oom: ## each request for memory fails once: vectors, dialogues, bindings
	@tools/deps.sh build test
	@$(MAKE) -s build/oom/host $(OOM_TESTS:%=build/test/%)
	@$(call OOM_MODULE,all)
	@tools/oom.sh $(OOM_TESTS)

oom-quick: build/oom/host # a part of it, for make test
	@$(call OOM_MODULE,core)
	@tools/oom.sh --quick 37

portable: ## the core's C tests with 32 bits (i686) and big-endian (s390x)
	@tools/deps.sh build portable
	@$(MAKE) -s $(BARE_TESTS:%=build/i686/%) $(BARE_TESTS:%=build/s390x/%)
	@tools/portable.sh $(BARE_TESTS)

# ---- Fuzzing: by clang's libFuzzer, or by gcc with fuzz/replay.c ----

.PHONY: fuzz fuzz-merge fuzz-regress differential
SECONDS ?= 60
FUZZED  := $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
TARGET  ?= $(FUZZED)

fuzz: ## fuzz each machine of the core (SECONDS=60 TARGET=parser)
	@tools/deps.sh build lint
	@$(MAKE) -s $(addprefix build/fuzz/,$(TARGET))
	@tools/fuzz.sh run $(SECONDS) $(TARGET)

fuzz-merge: ## keep in fuzz/corpus what adds coverage
	@tools/deps.sh build lint
	@$(MAKE) -s $(addprefix build/fuzz/,$(TARGET))
	@tools/fuzz.sh merge $(TARGET)

differential: ## the parser against a simple one in Lua (N=1000000 SEED=1)
	@tools/deps.sh build test
	@$(MAKE) -s all
	@STOMP_DIFFERENTIAL="$(or $(N),1000000)" STOMP_DIFFERENTIAL_SEED="$(or $(SEED),1)" \
	  busted --lua=$(LUA) --cpath="$(BUILD)/?.so" spec/core/differential_spec.lua

fuzz-regress: $(addprefix build/fuzz/replay-,$(TARGET)) ## fuzz/corpus, once, by gcc
	@tools/fuzz.sh replay $(TARGET)

FUZZ_CORE  := $(patsubst src/core/%.c,%.o,$(wildcard src/core/*.c))
FUZZ_FLAGS := $(STRICT) -Isrc -Ifuzz $(SANITIZE) -fno-sanitize-recover=all \
              -DSTOMP_FUZZ_ASAN
FUZZ_GCC   := gcc $(FUZZ_FLAGS) -fsanitize=address,undefined
FUZZ_CLANG := clang-14 $(FUZZ_FLAGS) -fsanitize=address,undefined
FUZZ_HEADS := $(wildcard src/core/*.h fuzz/*.h)

.SECONDARY: $(addprefix build/fuzz/gcc/,$(FUZZ_CORE)) \
            $(addprefix build/fuzz/clang/,$(FUZZ_CORE))

build/fuzz/gcc/%.o: src/core/%.c $(FUZZ_HEADS)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_GCC) -c -o $@ $<

build/fuzz/clang/%.o: src/core/%.c $(FUZZ_HEADS)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CLANG) -fsanitize=fuzzer-no-link -c -o $@ $<

build/fuzz/replay-%: fuzz/%_fuzz.c fuzz/replay.c $(addprefix build/fuzz/gcc/,$(FUZZ_CORE))
	$(Q)$(FUZZ_GCC) -o $@ $^ $(LIBZ)

build/fuzz/%: fuzz/%_fuzz.c $(addprefix build/fuzz/clang/,$(FUZZ_CORE))
	$(Q)$(FUZZ_CLANG) -fsanitize=fuzzer -o $@ $^ $(LIBZ)
