# SPDX-License-Identifier: ISC
# The everyday words.  Meson does the work: see meson.build.

BUILD = build

APT = $(if $(filter 0,$(shell id -u)),,sudo) \
	env DEBIAN_FRONTEND=noninteractive apt-get -qq

.PHONY: all run test test-long fuzz deb clean python

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

clean:
	rm -rf $(BUILD) run

# Meson needs it anyway; the scripts above are written in it.
python:
	@command -v python3 >/dev/null || \
		{ $(APT) update && $(APT) -y install python3; }
