# Two commands do everything on Debian 12, as root, with Rust and Python: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help setup build demo test check unit loom memcheck fuzz runtimes e2e clones bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing (apt-get, Node 20)
	@scripts/setup.sh

build: setup ## the release binary: target/release/offshoot
	cargo build --release --locked --bin offshoot

demo: build ## deploy the example functions, invoke each cold and hot, print one table
	/usr/bin/python3 scripts/demo.py --bin target/release/offshoot

test: setup check unit loom memcheck fuzz runtimes e2e clones ## everything that CI runs
	@echo "everything passed"

check: ## format, lints, docs, layers
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo xtask tidy

unit: ## tests beside the code; those of sandboxes want root
	cargo test --workspace --locked --quiet

# In a folder of its own: the flag would have everything else built again.
loom: ## how a clone's threads wait for each other, under the memory model
	RUSTFLAGS="--cfg loom" cargo test --release --locked --quiet -p offshoot-stub --test barrier --target-dir target/loom

memcheck: ## valgrind over the crates with `unsafe`, and the formats
	scripts/memcheck.sh

# A minute when it is built: nine targets, two at a time on two cores, 10 s each (FUZZ_SECONDS), and the planted bugs.
fuzz: ## every decoder of hostile bytes, for a bounded time
	scripts/fuzz.sh

runtimes: ## the bootstraps, and the workloads' own checks
	/usr/bin/python3 -m unittest discover -s runtimes
	/usr/bin/python3 workloads/workloads.py build all
	/usr/bin/python3 workloads/workloads.py selftest all

e2e: build ## real clients against the real daemon: aws CLI, boto3, official runtime clients
	tests/e2e/run.sh

clones: build ## does a program notice that it was frozen and cloned?
	/usr/bin/python3 tests/fidelity/run.py --bin target/release/offshoot --quick
	/usr/bin/python3 tests/engine/runtimes.py --bin target/release/offshoot --quick
	/usr/bin/python3 tests/engine/generations.py --bin target/release/offshoot
	/usr/bin/python3 tests/engine/identity.py --bin target/release/offshoot
	/usr/bin/python3 tests/engine/confined.py --bin target/release/offshoot
	/usr/bin/python3 tests/engine/uniqueness.py --bin target/release/offshoot
	/usr/bin/python3 tests/engine/kill_sweep.py --bin target/release/offshoot
	/usr/bin/python3 tests/engine/kill_checkpoint.py --bin target/release/offshoot

# Recorded traces are no part of the project: with TRACE=FILE, one is replayed, too.
bench: build ## every suite of `offshoot bench`, raw data and docs/benchmarks.md; TRACE=FILE replays a trace
	target/release/offshoot bench base --json docs/benchmarks.jsonl
	target/release/offshoot bench clone --json docs/benchmarks.jsonl
	target/release/offshoot bench sandbox --json docs/benchmarks.jsonl
	target/release/offshoot bench e2e --json docs/benchmarks.jsonl
	target/release/offshoot bench ladder --json docs/benchmarks.jsonl
	target/release/offshoot bench density --json docs/benchmarks.jsonl
	$(if $(TRACE),target/release/offshoot bench trace --trace $(TRACE) --json docs/benchmarks.jsonl)
	target/release/offshoot bench unique --json docs/benchmarks.jsonl
	target/release/offshoot bench noise --json docs/benchmarks.jsonl
	target/release/offshoot bench render --json docs/benchmarks.jsonl

clean: ## what the build made
	cargo clean
	rm -rf workloads/.build
