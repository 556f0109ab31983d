# Harvest, prepare, format, compare and the launcher: no torch.
#   docker build -f docker/cpu.Dockerfile --build-arg COMMIT=$(git rev-parse HEAD) -t ctiforge-cpu .
# --build-context wheels=DIR offers pip the wheels of that folder.
ARG BASE=python:3.11-slim-bookworm

FROM scratch AS wheels

FROM ${BASE} AS runtime
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app/src

# dependencies alone: a changed source file leaves this stage as it is
FROM runtime AS dependencies
WORKDIR /build
COPY pyproject.toml LICENSE ./
COPY src/ctiforge/__init__.py src/ctiforge/constraints.txt src/ctiforge/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=bind,from=wheels,target=/wheels \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-compile --find-links /wheels -c src/ctiforge/constraints.txt '.[cpu,launcher]' \
    && pip --python /opt/venv uninstall --yes ctiforge \
    # Kubernetes' asynchronous client and what it alone needs, and tests: 60 MB that nothing imports
    && pip --python /opt/venv uninstall --yes aiohttp aiohttp-retry aiosignal frozenlist multidict propcache yarl \
    && cd /opt/venv/lib/python3.11/site-packages && rm -r kubernetes/aio \
    && find numpy -type d -name tests -prune -exec rm -r {} +
# bytecode of what the programs import, and of nothing else: the root is read-only, so none is written later
RUN PYTHONDONTWRITEBYTECODE= python -c "import boto3, kubernetes.client, kubernetes.config, kubernetes.watch, numpy, \
obstore.auth.boto3, obstore.store, openai.resources.chat.completions, opentelemetry.exporter.otlp.proto.http.metric_exporter, \
psycopg2, pydantic_settings, rapidfuzz.fuzz, rensa, rich.live, \
rich.progress, rich.table, typer, \
transformers.models.auto.tokenization_auto, transformers.tokenization_utils_fast" 2>/dev/null

FROM runtime
COPY --from=dependencies /opt/venv /opt/venv
COPY src /app/src
COPY jobs /app/jobs
ARG COMMIT=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="ctiforge (cpu)" \
      org.opencontainers.image.description="harvest, prepare, format, compare and launcher of ctiforge" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT}
ENV CTIFORGE_COMMIT=${COMMIT} CTIFORGE_SCRATCH=/scratch/work HOME=/scratch/home
RUN useradd --uid 10001 --no-create-home ctiforge && install -d -o 10001 -g 10001 /scratch
USER 10001:10001
WORKDIR /scratch
ENTRYPOINT ["tini", "--", "python", "/app/jobs/in_pod.py"]
