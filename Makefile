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
LWS_DIR      ?=
OPENSSL_DIR  ?=

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wwrite-strings -Wundef -Wcast-qual -Wvla
CFLAGS   ?= -O2 -g
STRICT   := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS)
INCLUDES := -Isrc -I$(LUA_INCDIR) \
            $(if $(LWS_DIR),-I$(LWS_DIR)/include) \
            $(if $(OPENSSL_DIR),-I$(OPENSSL_DIR)/include)

CORE_SRC := $(wildcard src/core/*.c) $(wildcard src/os/*.c)
BIND_SRC := src/lua/support.c src/lua/lua_frame.c src/lua/lua_options.c \
            src/lua/lua_calls.c
COREMOD_SRC := $(CORE_SRC) $(BIND_SRC) src/lua/lua_parser.c \
               src/lua/lua_connection.c src/lua/core.c
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

$(COREMOD): $(call objects,$(COREMOD_SRC))
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD  $@",:)
	$(Q)$(CC) $(LIBFLAG) $(CFLAGS) -o $@ $^ $(LDFLAGS)

# never unloaded: its thread may run while Lua closes its libraries
$(LWSMOD): $(call objects,$(LWSMOD_SRC))
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD  $@",:)
	$(Q)$(CC) $(LIBFLAG) $(CFLAGS) -Wl,-z,nodelete -o $@ $^ $(LDFLAGS) \
	  $(if $(LWS_DIR),-L$(LWS_DIR)/lib) $(if $(OPENSSL_DIR),-L$(OPENSSL_DIR)/lib) \
	  -lwebsockets -lssl -lcrypto -lpthread

-include $(patsubst %.o,%.d,$(call objects,$(sort $(COREMOD_SRC) $(LWSMOD_SRC))))
