# The image of aws-root-exporter: one static binary, the CA certificates, an empty state folder.
# `make image` builds it. It runs with a read-only root file system, as an unprivileged user.

# The same Rust as rust-toolchain.toml. Alpine's is a musl system: what it builds is static.
FROM docker.io/library/rust:1.95.0-alpine AS build
# It puts the list of crates into the binary, which scanners read.
RUN RUSTUP_TOOLCHAIN=1.95.0 cargo install --locked cargo-auditable --version 0.7.7
WORKDIR /src
COPY . .
# The commit: the build context has no .git, so `make image` passes it.
ARG REVISION=unknown
RUN AWS_ROOT_EXPORTER_REVISION="$REVISION" RUSTUP_TOOLCHAIN=1.95.0 \
        cargo auditable build --profile dist --locked --bin aws-root-exporter \
    && install -D -m 0755 target/dist/aws-root-exporter /out/usr/bin/aws-root-exporter \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 0755 /out/etc/aws-root-exporter \
    && install -d -m 0700 /state

FROM scratch AS runtime
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="aws-root-exporter" \
      org.opencontainers.image.description="Prometheus exporter that reports root access keys of AWS accounts within a minute" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://github.com/aws-root-exporter/aws-root-exporter" \
      org.opencontainers.image.source="https://github.com/aws-root-exporter/aws-root-exporter" \
      org.opencontainers.image.documentation="https://github.com/aws-root-exporter/aws-root-exporter/blob/main/docs/deploy.md" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
COPY --from=build --chown=65532:65532 /state/ /var/lib/aws-root-exporter/

# A container must listen on all its addresses ([::] covers IPv4 and IPv6), and keep its state in
# the volume. Variables override the configuration file; set them again, or use a flag, to change
# them. The health address is for the check below, which then needs neither password nor certificate.
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
