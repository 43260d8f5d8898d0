# SPDX-License-Identifier: ISC
# The everyday words.  Meson does the work: see meson.build.

BUILD = build

.PHONY: all run test test-long fuzz clean

all:
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD)
	@ninja -C $(BUILD)

run:
	@python3 tests/lib/needs.py --build
	@$(MAKE) --no-print-directory all
	@exec python3 demo/serve.py $(BUILD)/src/cmd/popper

test:
	@exec python3 tests/run

test-long:
	@exec python3 tests/run --long

fuzz:
	@python3 tests/lib/needs.py
	@exec python3 tests/fuzz/run.py

clean:
	rm -rf $(BUILD) run
