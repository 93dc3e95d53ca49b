#!/usr/bin/env bash
# Train on several GPUs, or on several processes of a machine without GPUs.
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# PYTHON may name the interpreter. One machine: a free port is taken, unless PORT names one.
# Several machines: the same command on each, with NNODES, NODE_RANK (0, 1, ...), MASTER_ADDR and PORT (29500) set.
if [ $# -lt 2 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
ROOT="$(cd "$(dirname "$0")/.." && pwd)"
PYTHON="${PYTHON:-$(command -v "$ROOT/.venv/bin/python" || echo python)}"
if [ "${NNODES:-1}" = 1 ] && [ -z "$PORT" ]; then
    RENDEZVOUS=(--standalone --local_addr=127.0.0.1)
else
    RENDEZVOUS=(--nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}")
fi

PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" \
TORCHELASTIC_SIGNALS_TO_HANDLE="${TORCHELASTIC_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}" \
exec "$PYTHON" -m torch.distributed.run \
    "${RENDEZVOUS[@]}" --nproc_per_node="$2" \
    "$ROOT/tools/train.py" "$1" --launcher pytorch "${@:3}"
