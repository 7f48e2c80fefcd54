# The controller: docker build -t pointsman .
#   --build-arg BASE=...              another base with Python 3.11 or newer; Debian's package manager is asked only for
#                                     programs that it lacks (git, ssh, tini, venv)
#   --build-arg PIP_INDEX_URL=...     another package index, and UV_DEFAULT_INDEX for the same; they stay in the build stage
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS base
RUN set -eu; \
    missing=; \
    command -v git >/dev/null || missing="$missing git"; \
    command -v ssh >/dev/null || missing="$missing openssh-client"; \
    command -v tini >/dev/null || missing="$missing tini"; \
    [ -d /etc/ssl/certs ] || missing="$missing ca-certificates"; \
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"; \
    if [ -n "$missing" ]; then \
        apt-get update; \
        apt-get install --yes --no-install-recommends $missing; \
        rm -rf /var/lib/apt/lists/*; \
    fi

FROM base AS build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /build
COPY .ci/venv .ci/venv
COPY requirements requirements
RUN sh .ci/venv /uv \
    && /uv/bin/uv venv --python "$(command -v python3)" /opt/pointsman \
    && /uv/bin/uv pip install --python /opt/pointsman --require-hashes -r requirements/runtime.lock
COPY . .
RUN /uv/bin/uv pip install --python /opt/pointsman --no-deps --build-constraints requirements/build.lock .

FROM base
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Pointsman" \
      org.opencontainers.image.description="A GitOps controller for versioned inference services" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/pointsman /opt/pointsman
# ssh refuses to work for a user without a name.
RUN echo "pointsman:x:10001:10001::/var/lib/pointsman:/usr/sbin/nologin" >>/etc/passwd \
    && echo "pointsman:x:10001:" >>/etc/group \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/pointsman
ENV PATH=/opt/pointsman/bin:$PATH \
    HOME=/var/lib/pointsman \
    XDG_STATE_HOME=/var/lib/pointsman \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/pointsman
USER 10001:10001
EXPOSE 8081
# An init: git may leave processes behind, and nobody else would collect them.
ENTRYPOINT ["tini", "--", "pointsman"]
CMD ["run", "--config", "/etc/pointsman/config/controller.yaml"]
