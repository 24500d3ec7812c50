# Copyright (C) The nginx gateway modules authors

# "make help" lists the targets.  Everything is built in $(BUILD); no source
# tree is written to, neither this one nor nginx's.

SHELL = /bin/bash

# what a user may set, here or in the environment

BUILD        ?= build
NGINX_SRC    ?=
NGINX_FLAGS  ?= --with-compat --with-debug --with-threads --with-pcre-jit \
                --with-http_ssl_module --with-http_v2_module \
                --with-http_realip_module --with-http_auth_request_module \
                --with-http_stub_status_module --with-http_addition_module \
                --with-http_sub_module --with-http_gunzip_module \
                --with-http_gzip_static_module --with-http_slice_module \
                --with-http_dav_module --with-stream=dynamic
CFLAGS       ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS      ?= -Wl,-z,relro -Wl,-z,now
FUZZ_SECONDS ?= 30
DESTDIR      ?=
PREFIX       ?= /usr/local
MODULES_DIR  ?= /usr/lib/nginx/modules
TESTS        ?= $(UNIT) $(sort $(wildcard t/*.t t/e2e/*.t))

ifeq ($(origin CC), default)
CC = gcc
endif

WARN     = -Wall -Wextra
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all \
           -fno-omit-frame-pointer

# pools must not hide what was freed; nginx reads unaligned on purpose, and
# copies nothing from NULL

SANITIZE_CFLAGS = -O1 -g $(SANITIZE) -fno-sanitize=nonnull-attribute \
                  -DNGX_DEBUG_PALLOC=1 -DNGX_HAVE_NONALIGNED=0

OUT      = $(abspath $(BUILD))
NGX      = $(OUT)/nginx
GEN      = $(OUT)/gen

MODULES = $(patsubst %.c, $(OUT)/modules/%.so, \
                     $(wildcard ngx_http_gw_*_module.c))
TOOLS   = $(BUILD)/bin/gw-token $(BUILD)/bin/gw-kafka-mock \
          $(BUILD)/bin/gw-journal
UNIT    = $(patsubst t/unit/%.c, $(BUILD)/unit/%, \
                     $(sort $(wildcard t/unit/test_*.c)))
FUZZ    = $(patsubst t/fuzz/%.c, $(BUILD)/fuzz/%, \
                     $(sort $(wildcard t/fuzz/fuzz_*.c)))
BENCH   = $(patsubst bench/%.c, $(BUILD)/bin/bench-%, \
                     $(sort $(wildcard bench/*.c)))
SOAK    = $(sort $(wildcard t/soak/*.t))
SOURCES = $(wildcard src/*.[ch])

# the sources a test asks for: /* links: src/gw_a.c src/gw_b.c */

LINKS = $$(sed -n 's,.*links: \(.*\) \*/.*,\1,p' $<)

# nginx's makefile must not see our CFLAGS; all else goes by the environment

MAKEOVERRIDES =

# what has been installed first, is built by a make of its own

SUBMAKE = +@$(MAKE) --no-print-directory \
          $(if $(filter -j%, $(MAKEFLAGS)),, -j$(shell nproc))

export BUILD CC NGINX_SRC NGINX_FLAGS GW_LINK
export GW_GEN_DIR = $(GEN)


build: modules tools             ## the modules and tools (default)

help:                            ## this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/    make \1\t\2/p' Makefile \
	    | expand -t 20
	@echo 'Variables: NGINX_SRC=DIR CFLAGS LDFLAGS BUILD=DIR' \
	    'FUZZ_SECONDS TESTS="t/a.t ..." GW_PORT DESTDIR'

run: deps-run                    ## a whole gateway on :8080, with a tour
	$(SUBMAKE) build
	@tools/run.sh

test: deps-test                  ## all tests, last line "N passed, N failed"
	$(SUBMAKE) build units
	@tools/runtests.pl $(TESTS)

unit: deps-test                  ## the unit tests alone
	$(SUBMAKE) units
	@tools/runtests.pl $(UNIT)

soak: deps-test                  ## long runs, up to an hour; GW_SOAK_KEYS
	$(SUBMAKE) build
	@TEST_SECONDS=$(or $(TEST_SECONDS),7200) tools/runtests.pl $(SOAK)

check: deps-check scripts        ## style, layers, documentation, lint
	@tools/check.sh

bench: deps-bench                ## with and without the modules, in turn
	$(SUBMAKE) build benches
	@for b in $(BENCH); do $$b || exit 1; done
	@bench/run.sh
	@bench/ratelimit.sh
	@bench/usage.sh

deps-%:
	@tools/deps.sh $*


# the modules, by nginx's own makefile; "config" lists their dependencies

modules: $(NGX)/objs/Makefile scripts
	@$(MAKE) -s --no-print-directory -C $(NGX) -f objs/Makefile modules
	@mkdir -p $(OUT)/modules
	@for so in $(NGX)/objs/ngx_http_gw_*.so; do \
	    to=$(OUT)/modules/$${so##*/}; \
	    cmp -s $$so $$to || { echo "  SO    $${so##*/}"; \
	        cp $$so $$to.new && mv $$to.new $$to; } || exit 1; \
	done

nginx: $(NGX)/objs/Makefile scripts    ## nginx itself (needs NGINX_SRC)
	@test -n '$(NGINX_SRC)' \
	    || { echo 'make nginx needs NGINX_SRC=DIR' >&2; exit 1; }
	@$(MAKE) -s --no-print-directory -C $(NGX) -f objs/Makefile binary
	@cmp -s $(NGX)/objs/nginx $(NGX)/nginx \
	    || { cp $(NGX)/objs/nginx $(NGX)/nginx.new \
	         && mv $(NGX)/nginx.new $(NGX)/nginx; }

$(NGX)/objs/Makefile: config tools/configure.sh $(NGX)/settings | scripts
	@echo '  CONF  $(or $(NGINX_SRC),the installed nginx)'
	@CFLAGS='$(CFLAGS) $(WARN)' LDFLAGS='$(LDFLAGS)' \
	    tools/configure.sh $(NGX)

# changes whenever nginx has to be configured again

$(NGX)/settings: FORCE
	@mkdir -p $(@D)
	@{ echo '$(NGINX_SRC) $(GW_LINK) $(CC) $(CFLAGS) $(LDFLAGS)'; \
	   test -z '$(NGINX_SRC)' || echo '$(NGINX_FLAGS)'; \
	   PATH=$$PATH:/usr/sbin nginx -v 2>&1 || :; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

scripts: $(GEN)/gw_scripts.h

$(GEN)/gw_scripts.h: $(wildcard lua/*.lua) lua tools/lua2h.pl
	@mkdir -p $(@D)
	@perl tools/lua2h.pl lua/*.lua > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@


# tools

tools: $(TOOLS)

$(BUILD)/bin/%: tools/%.c
	@mkdir -p $(@D)
	@echo '  CC    $(@F)'
	@$(CC) $(CFLAGS) $(WARN) -Werror -o $@ $< $(LDFLAGS) $(LIBS)

$(BUILD)/bin/gw-token: LIBS = -ljwt -ljansson
$(BUILD)/bin/gw-kafka-mock: LIBS = -lrdkafka

# the one of several files

JOURNAL = $(wildcard tools/journal/*.[ch])

$(BUILD)/bin/gw-journal: tools/gw-journal.c $(JOURNAL) $(SOURCES)
	@mkdir -p $(@D)
	@echo '  CC    $(@F)'
	@$(CC) $(CFLAGS) $(WARN) -Werror -Isrc -o $@ $(filter tools/%.c, $^) \
	    $(LINKS) $(LDFLAGS) -lrdkafka


# programs that measure a part by itself

benches: $(BENCH)
	@:

$(BUILD)/bin/bench-%: bench/%.c $(SOURCES)
	@mkdir -p $(@D)
	@echo '  CC    $(@F)'
	@$(CC) -O2 $(WARN) -Werror -Isrc -o $@ $< $(LINKS) -ljansson -lcrypto


# unit tests and fuzzers

units: $(UNIT)
	@:

fuzzers: $(FUZZ)
	@:

# of the layer that knows nginx, they link nothing of it

$(filter $(BUILD)/unit/test_ngx_%, $(UNIT)): $(NGX)/objs/Makefile
$(BUILD)/unit/test_ngx_%: INCS = -I$(NGX)/objs -Wno-unused-parameter \
    $(addprefix -I$(NGX)/src/, core event event/modules event/quic os/unix)

$(BUILD)/unit/%: t/unit/%.c $(wildcard t/unit/*.h) $(SOURCES) $(GEN)/gw_scripts.h
	@mkdir -p $(@D)
	@echo '  CC    $(@F)'
	@$(CC) -g -O1 $(SANITIZE) $(WARN) -Werror \
	    -Isrc -I$(GEN) -It $(INCS) -o $@ $< $(LINKS) \
	    -lcmocka -ljansson -lcrypto -lhiredis

fuzz: deps-fuzz                  ## each fuzzer for FUZZ_SECONDS
	$(SUBMAKE) fuzzers
	@for f in $(FUZZ); do \
	    dir=$$f.corpus seeds=t/fuzz/corpus/$${f##*/}; mkdir -p $$dir; \
	    echo "$${f##*/}: $(FUZZ_SECONDS) seconds"; \
	    test -d $$seeds || seeds=; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$dir- \
	        $$dir $$seeds > $$f.log 2>&1 \
	    || { tail -n 40 $$f.log; echo "$$f failed ($$f.log)" >&2; exit 1; }; \
	    tail -n 1 $$f.log; \
	done

$(BUILD)/fuzz/%: t/fuzz/%.c $(SOURCES) $(GEN)/gw_scripts.h
	@mkdir -p $(@D)
	@echo '  CC    $(@F)'
	@clang -g -O1 -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all $(WARN) -Werror \
	    -Isrc -I$(GEN) -It -o $@ $< $(LINKS) -ljansson -lcrypto -lhiredis


# other builds, each in a folder of its own

static: deps-build               ## nginx with the modules linked in
	@src=$$(tools/nginx-src.sh) \
	&& $(MAKE) --no-print-directory BUILD=$(BUILD)/static GW_LINK=static \
	       NGINX_SRC="$$src" nginx \
	&& GW_MODULES=none tools/gateway-conf.sh $(BUILD)/static/check \
	&& $(BUILD)/static/nginx/nginx -p $(abspath $(BUILD))/static/check \
	       -e logs/error.log -c conf/gateway.conf -t

sanitize: deps-test              ## all tests with ASan and UBSan
	@src=$$(tools/nginx-src.sh) \
	&& $(MAKE) --no-print-directory BUILD=$(BUILD)/sanitize \
	       NGINX_SRC="$$src" CFLAGS='$(SANITIZE_CFLAGS)' \
	       LDFLAGS='-fsanitize=address,undefined' sanitized

sanitized:
	$(SUBMAKE) nginx build units
	@TEST_NGINX_BINARY=$(NGX)/nginx tools/runtests.pl $(TESTS)


install: build                   ## modules and tools below DESTDIR
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MODULES) $(DESTDIR)$(MODULES_DIR)
	install -m 755 $(BUILD)/bin/gw-token $(BUILD)/bin/gw-journal \
	    $(DESTDIR)$(PREFIX)/bin

clean:                           ## what was built; downloads stay
	@test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 \
	    ! -name kafka ! -name src ! -name 'apt-*' -exec rm -rf {} +

distclean:                       ## also the downloads
	rm -rf $(BUILD)

FORCE:

.DELETE_ON_ERROR:
.PHONY: bench benches build check clean distclean fuzz fuzzers help install \
        modules nginx run sanitize sanitized scripts soak static test tools \
        unit units FORCE
