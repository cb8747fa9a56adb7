# The project's commands. `make help` lists them.

CARGO ?= cargo
IMAGE ?= aws-root-exporter
# The program that builds the image: buildah or docker.
BUILDER ?= $(shell command -v buildah 2>/dev/null || command -v docker 2>/dev/null)
# Extra flags for the builder, such as BUILD_FLAGS="--isolation chroot" inside a container.
BUILD_FLAGS ?=
# buildah's own format has no health check.
BUILD_FORMAT = $(if $(findstring buildah,$(BUILDER)),--format docker)
# The targets of `make fuzz`, which run one after another, and how many seconds each gets.
TARGET ?= report config web_config state accept message
SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help demo test dist dist-test dist-tools test-tools lint lint-rust lint-deps screenshots bench bench-page bench-pure bench-rules bench-shards bench-tools storm soak fuzz image

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the exporter over a simulated AWS: no account and no network needed
	$(CARGO) run --locked -- demo

test: test-tools ## run all tests but those of a release, after installing what they need
	$(CARGO) test --locked --workspace --features tools

dist: dist-tools ## make the files of a release in dist/: tarballs, packages, image, chart, SBOM, checksums
	release/build.sh

dist-test: dist-tools ## open and use each file of dist/, and make them a second time; before a release
	@test -e dist/SHA256SUMS || release/build.sh
	$(CARGO) test --locked --features dist --test dist -- --test-threads 1 --nocapture

dist-tools:
	@tests/tools/install.sh dist

test-tools: ## install the programs that `make test` needs: Debian packages, Python packages in .venv, npm packages
	@tests/tools/install.sh

lint: lint-rust lint-deps ## run every check of the code and of its dependencies

lint-rust: ## check formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings

# Advisories are left out: their database changes while a commit does not, so the check would not be repeatable.
lint-deps: ## check licences, sources and forbidden crates
	@command -v cargo-deny >/dev/null || { \
		echo "cargo-deny is missing: installing it, which takes some minutes, once"; \
		$(CARGO) install --locked cargo-deny --version '^0.20'; }
	$(CARGO) deny --locked check bans licenses sources

bench-page: test-tools ## measure how long it takes from a root key to a page, and to its end; takes 10 minutes
	$(CARGO) build --profile dist --locked -p aws-root-exporter -p aws-simulator --bin aws-root-exporter --example simulator
	python3 benches/page.py

bench-rules: test-tools ## measure how long the rules take on 10,000 accounts
	python3 benches/rules.py

bench-shards: test-tools ## run 100,000 accounts in ten shards, and the Prometheus that scrapes them; needs 20 GB
	$(CARGO) build --profile dist --locked -p aws-root-exporter -p aws-simulator --bin aws-root-exporter --example simulator
	python3 benches/shards.py

screenshots: test-tools ## take the README's pictures in docs/images again
	$(CARGO) build --locked
	cd tests/browser && node screenshots.js

bench: bench-tools ## compare with nginx, pushgateway, boto3 and others, in ratios; takes under 20 minutes
	$(CARGO) build --profile dist --locked -p aws-root-exporter -p aws-simulator --bin aws-root-exporter --examples
	.venv/bin/python benches/peers.py

bench-pure: ## time the parts that need no network
	$(CARGO) bench --locked --bench pure

# Installs the peers beside what the tests need.
bench-tools:
	@tests/tools/install.sh peers

storm: ## inject random faults for MINUTES=… (1) with SEED=… (any), and compare every value with the truth
	STORM_SEED=$(or $(SEED),$(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')) STORM_MINUTES=$(MINUTES) $(CARGO) test --locked --features tools --test storm -- --nocapture

soak: ## inject faults for MINUTES=… (10) and check that memory, threads and descriptors do not grow
	$(CARGO) build --profile dist --locked -p aws-root-exporter -p aws-simulator --bin aws-root-exporter --example simulator
	python3 benches/soak.py --minutes $(or $(MINUTES),10)

# No sanitizer: the project has no unsafe code, and fuzzing is faster without one.
fuzz: ## fuzz the parsers of untrusted input: TARGET=state SECONDS=60 runs one target for a minute
	@command -v cargo-fuzz >/dev/null || { \
		echo "cargo-fuzz is missing: installing it, which takes some minutes, once"; \
		$(CARGO) install --locked cargo-fuzz --version '^0.13'; }
	@set -e; for target in $(TARGET); do \
		$(CARGO) +nightly fuzz run --sanitizer none $$target -- -max_total_time=$(SECONDS); done

image: ## build the container image, with buildah or docker
	@test -n "$(BUILDER)" || { echo "neither buildah nor docker is on PATH" >&2; exit 1; }
	$(BUILDER) build $(BUILD_FORMAT) $(BUILD_FLAGS) \
		--build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml) \
		--build-arg REVISION=$$(git rev-parse --short=12 HEAD) \
		--tag $(IMAGE) .
