# SPDX-License-Identifier: ISC
# The everyday words.  Meson does the work: see meson.build.

BUILD = build

SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
APT = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq

.PHONY: all run test test-long fuzz deb bench clean python

all:
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD)
	@ninja -C $(BUILD)

# Build, lay a demo under run/, serve it on 127.0.0.1:1110 until Ctrl-C.
run: python
	@python3 tests/lib/needs.py --build
	@$(MAKE) --no-print-directory all
	@exec python3 demo/serve.py $(BUILD)/src/cmd/popper

test: python
	@exec python3 tests/run

test-long: python
	@exec python3 tests/run --long

fuzz: python
	@python3 tests/lib/needs.py
	@exec python3 tests/fuzz/run.py

# The package, below build/deb, judged by lintian.
deb: python
	@python3 tests/lib/needs.py --deb
	@exec python3 debian/make.py --build $(BUILD)

# popper beside its peers; see docs/benchmark.md.  make bench ROUNDS=5, and
# BENCH="--hold 1000" or other options of bench/run.py.
ROUNDS = 1

bench: python
	@python3 tests/lib/needs.py
	@$(MAKE) --no-print-directory all
	@mkdir -p $(BUILD)/hosts $(BUILD)/unpacked/debs
	@exec $(SUDO) env POPPER_BUILD=$(BUILD) python3 bench/run.py \
		--rounds $(ROUNDS) $(BENCH)

clean:
	rm -rf $(BUILD) run

# Meson needs it anyway; the scripts above are written in it.
python:
	@command -v python3 >/dev/null || \
		{ $(APT) update && $(APT) -y install python3; }
