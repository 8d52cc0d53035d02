# syntax=docker/dockerfile:1
# The image of every process of Callplane: the wheel and what it needs, and nothing to build with.
# Build with BuildKit; pin the base by digest where your registry mirrors it.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements/build.txt requirements/image.txt requirements/
# What runs is installed into one folder, apart from the Python of the image; what builds the wheel into
# another, which stays behind.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check \
       --require-hashes --requirement requirements/build.txt \
    && python -m venv /opt/callplane \
    && /opt/callplane/bin/pip install --no-cache-dir --disable-pip-version-check \
       --require-hashes --requirement requirements/image.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY operator operator
COPY manifests/tenants manifests/tenants
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /dist \
    && /opt/callplane/bin/pip install --no-cache-dir --disable-pip-version-check \
       --no-deps --no-index /dist/*.whl

FROM ${PYTHON}
LABEL org.opencontainers.image.title="callplane" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/callplane/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/callplane /opt/callplane
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["callplane"]
CMD ["--help"]
