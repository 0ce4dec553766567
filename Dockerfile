# PigWav with everything that it needs, including the embedded Postgres and S3 server. The configuration decides:
#   database and object store   starts the service on port 8080
#   neither of them             also starts a Postgres and an S3 server, with their data in the volume /data
#   only one of them            reports what is missing
# It has no BuildKit syntax, so every builder since 2017 supports it.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# For machines that install packages from their own index.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_DEFAULT_TIMEOUT
WORKDIR /src
RUN python -m venv --without-pip /opt/pigwav && python -m venv --without-pip /opt/build
COPY constraints.lock build.lock ./
# Every package that is fetched has its hash in a lock, also those that build our wheel. pip, Python and Debian are those
# of the base image; a tag may be built anew, so pin its digest if you need the same bytes: PYTHON_IMAGE=python@sha256:...
# libjemalloc2 is Debian's, too, with Debian's signature.
RUN pip --python /opt/pigwav/bin/python install --no-cache-dir --require-hashes --only-binary=:all: -r constraints.lock
RUN pip --python /opt/build/bin/python install --no-cache-dir --require-hashes --only-binary=:all: -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY service/pigwav service/pigwav
RUN pip --python /opt/build/bin/python wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && pip --python /opt/pigwav/bin/python install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="PigWav" \
      org.opencontainers.image.description="Recordings in, MP3 out, on your own object storage" \
      org.opencontainers.image.source="https://github.com/pigwav/pigwav" \
      org.opencontainers.image.documentation="https://github.com/pigwav/pigwav/tree/main/service/docs" \
      org.opencontainers.image.licenses="MIT"
# `pigwav serve` finds it there (service/docs/decisions/0016).
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libjemalloc2 \
 && rm -rf /var/lib/apt/lists/*
# The embedded Postgres needs a user with a name.
RUN groupadd --gid 10001 pigwav \
 && useradd --uid 10001 --gid pigwav --home-dir /data --no-create-home --shell /usr/sbin/nologin pigwav \
 && install -d -o pigwav -g pigwav -m 0700 /data
COPY --from=build /opt/pigwav /opt/pigwav
ENV PATH=/opt/pigwav/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# If the root filesystem is read-only, temporary files are written here, too.
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
# Healthy means that an upload can be accepted. http.client ignores proxies in the environment.
HEALTHCHECK --interval=5s --timeout=5s --start-period=90s --retries=6 CMD ["python", "-I", "-S", "-c", \
 "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["pigwav"]
CMD ["up", "--host", "0.0.0.0", "--data", "/data"]
