# The service: all roles are this image with another command. Runs as an ordinary user on a read-only root file system;
# what it writes (state of `evaluate`, compiled kernels) goes to /var/lib/driftline.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/driftline
WORKDIR /src
# Dependencies first: a change of the code alone does not install them again.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > dependencies.txt \
    && /opt/driftline/bin/pip install -c constraints.txt -r dependencies.txt
COPY README.md LICENSE ./
COPY detectors detectors
COPY monitor monitor
COPY sinks sinks
RUN /opt/driftline/bin/pip install --no-deps . && /opt/driftline/bin/pip check

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/driftline /opt/driftline
RUN groupadd --gid 10001 driftline \
    && useradd --uid 10001 --gid driftline --no-create-home --home-dir /var/lib/driftline --shell /usr/sbin/nologin driftline \
    && install -d -o driftline -g driftline /var/lib/driftline
ENV PATH=/opt/driftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/lib/driftline/numba
USER 10001:10001
WORKDIR /var/lib/driftline
VOLUME /var/lib/driftline
EXPOSE 9108
# Healthy: the role's loop turns. `metrics.listen` must be on port 9108; commands that end by themselves need no check.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9108/healthz', timeout=4)"]
ENTRYPOINT ["driftline"]
CMD ["--help"]
