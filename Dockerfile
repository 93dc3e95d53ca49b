# mmpose_sp and all it needs, as an ordinary user.
#   docker build -t mmpose_sp .                             torch with CUDA, whose libraries come in its wheels
#   docker build -t mmpose_sp:cpu --build-arg TORCH=cpu .   torch without, 3 GB smaller
#   docker run --rm mmpose_sp:cpu make demo
#   docker run --rm --gpus all --shm-size 8g -v "$PWD/data:/mmpose_sp/data" -v "$PWD/work_dirs:/mmpose_sp/work_dirs" \
#       mmpose_sp python tools/train.py CONFIG
ARG PYTHON=3.12

# What `make setup` asks for; the dev container goes no further.
FROM python:${PYTHON}-slim AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes git make \
    && rm -rf /var/lib/apt/lists/*
# The numbers of the user outside: files in mounted folders belong to the same person on both sides.
ARG UID=1000
ARG GID=1000
RUN groupadd --gid "$GID" user \
    && useradd --create-home --uid "$UID" --gid "$GID" user \
    && install --directory --owner user --group user /mmpose_sp /mmpose_sp/data /mmpose_sp/work_dirs
USER $UID:$GID
WORKDIR /mmpose_sp

FROM base
ARG TORCH
COPY --chown=user:user . .
RUN make setup TORCH="$TORCH" && rm -rf "$HOME/.cache"
ENV PATH=/mmpose_sp/.venv/bin:$PATH
CMD ["make", "help"]
