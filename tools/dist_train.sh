#!/usr/bin/env bash
# Train on several GPUs, or on several processes of a machine without GPUs.
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# PYTHON may name the interpreter. Several machines: the same command on each, with NNODES, NODE_RANK (0, 1, ...), MASTER_ADDR and PORT set.
if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
ROOT="$(cd "$(dirname "$0")/.." && pwd)"
PYTHON="${PYTHON:-$(command -v "$ROOT/.venv/bin/python" || echo python)}"

PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" \
exec "$PYTHON" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$2" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$ROOT/tools/train.py" "$1" --launcher pytorch "${@:3}"
