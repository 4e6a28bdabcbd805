# SPDX-License-Identifier: Apache-2.0
# The front door. Everything behind it is Meson; the scripts install what is missing first.
export BUILD ?= build

build:
	@scripts/build.sh
demo: build
	@$(BUILD)/cli/quorate demo
test: build
	@scripts/test.sh
bench: build
	@scripts/bench.sh
bench-system: build
	@scripts/bench-system.sh
check-all:
	@scripts/check-all.sh
clean:
	rm -rf $(BUILD)

.PHONY: build demo test bench bench-system check-all clean
