# The image of aws-root-exporter: one static binary, the CA certificates, an empty state folder.
# `make image` builds it. It runs with a read-only root, as a user without a name.

# The same Rust as rust-toolchain.toml. Alpine's is a musl system: what it builds is static.
FROM docker.io/library/rust:1.95.0-alpine AS build
WORKDIR /src
COPY . .
# The commit, which the image's source folder does not hold; `make image` says it.
ARG REVISION=unknown
RUN AWS_ROOT_EXPORTER_REVISION="$REVISION" RUSTUP_TOOLCHAIN=1.95.0 \
        cargo build --release --locked --bin aws-root-exporter \
    && install -D -m 0755 target/release/aws-root-exporter /out/usr/bin/aws-root-exporter \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 0755 /out/etc/aws-root-exporter \
    && install -d -m 0700 /state

FROM scratch AS runtime
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="aws-root-exporter" \
      org.opencontainers.image.description="Tells Prometheus within a minute that an AWS account has a root access key" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
COPY --from=build --chown=65532:65532 /state/ /var/lib/aws-root-exporter/

# In a container nobody reaches the loopback address, and the state must be where the volume is.
# [::] is every address of both families.
# As variables these beat the configuration file; a flag or another value of the variable beats
# them. The health address is for the check below: it answers whatever the first one asks for.
ENV AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS="[::]:10057" \
    AWS_ROOT_EXPORTER__WEB__HEALTH_LISTEN_ADDRESS="127.0.0.1:10058" \
    AWS_ROOT_EXPORTER__STATE__PATH="/var/lib/aws-root-exporter/state.redb"

# config.toml is read from the working folder when there is one.
WORKDIR /etc/aws-root-exporter
VOLUME ["/var/lib/aws-root-exporter"]
EXPOSE 10057
USER 65532:65532
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/bin/aws-root-exporter", "healthcheck"]
ENTRYPOINT ["/usr/bin/aws-root-exporter"]
