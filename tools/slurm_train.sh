#!/usr/bin/env bash
# Train under Slurm; a job that is preempted, or whose time is up, saves, is queued again and goes on where it was.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS, PORT and PYTHON may be set. SUBMIT=1 leaves the job to sbatch (SBATCH_ARGS,
# log in WORK_DIR) and returns. GRACE: how many seconds before the end of its time a job is told to save (120).
if [ $# -lt 4 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
ROOT="$(cd "$(dirname "$0")/.." && pwd)"
PYTHON="${PYTHON:-$(command -v "$ROOT/.venv/bin/python" || echo python)}"
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
WANTED_TO_GO_ON=75 # the status of a training that was interrupted, see mmpose_sp/engine/checkpoint_hook.py
JOB=(-p "$1" --job-name="$2" --gres=gpu:"$GPUS_PER_NODE" --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE"
    --cpus-per-task="${CPUS_PER_TASK:-5}")

if [ -n "$SUBMIT" ] && [ -z "$SLURM_JOB_ID" ]; then
    mkdir -p "$4"
    # sbatch runs a copy of a script from elsewhere, so it is handed a line. SBATCH_ARGS is a list of words.
    exec sbatch "${JOB[@]}" --signal="USR1@${GRACE:-120}" --requeue --open-mode=append --output="$4/slurm-%j.log" \
        $SBATCH_ARGS --wrap "exec bash $(printf '%q ' "$ROOT/tools/slurm_train.sh" "$@")"
fi

# The first node of the job listens on it, and this machine cannot know what is free there: a port below Linux's ephemeral
# ones, by chance, so that two jobs on a node (almost) never meet.
export MASTER_PORT="${PORT:-$((20000 + RANDOM % 10000))}"
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"

[ -n "$SLURM_JOB_ID" ] || JOB+=(--signal="USR1@${GRACE:-120}")
[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && RESUME=(--resume)
trap 'STOPPED=1; kill -TERM "$CHILD" 2>/dev/null' INT TERM
while true; do
    # SRUN_ARGS is a list of words: it is split on purpose.
    srun "${JOB[@]}" --kill-on-bad-exit=1 $SRUN_ARGS \
        "$PYTHON" -u "$ROOT/tools/train.py" "$3" --work-dir="$4" --launcher=slurm "${@:5}" "${RESUME[@]}" &
    CHILD=$!
    wait "$CHILD"
    STATUS=$?
    while kill -0 "$CHILD" 2>/dev/null; do # a signal ends `wait` before srun
        wait "$CHILD"
        STATUS=$?
    done
    if [ "$STATUS" != "$WANTED_TO_GO_ON" ] || [ -n "$STOPPED" ]; then
        exit "$STATUS"
    elif [ -n "$SLURM_JOB_ID" ]; then
        scontrol requeue "$SLURM_JOB_ID" # Slurm may be at it itself
        exit "$STATUS"
    fi
    RESUME=(--resume)
done
