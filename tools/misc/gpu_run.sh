#!/usr/bin/env bash
# On a bare GPU machine without network: tests, benchmarks and comparisons, one after the other.
#   tools/misc/gpu_run.sh PACK RESULTS [--dry-run]
# PACK is what gpu_pack.py made. Ends after SECONDS_LEFT seconds (570); called again, it goes on: steps that RESULTS says
# are done are left out, trainings go on from WORK (/tmp/mmpose_sp), and where that is gone, from the JSON files in
# RESULTS, which hold every finished training. --dry-run does a step of everything on a CPU, in the environment as it is.
set -u -o pipefail
if [ $# -lt 2 ]; then
    sed -n '2,7s/^# //p' "$0" >&2
    exit 2
fi
ROOT="$(cd "$(dirname "$0")/../.." && pwd)"
PACK="$(cd "$1" && pwd)" || exit 2
mkdir -p "$2" && RESULTS="$(cd "$2" && pwd)"
DRY="${3:-}"
WORK="${WORK:-/tmp/mmpose_sp}"
PYTHON="${PYTHON:-python3}"
END=$((SECONDS + ${SECONDS_LEFT:-570}))
mkdir -p "$WORK"
cd "$ROOT" || exit 2
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 PYTHON

if [ "$DRY" = '--dry-run' ]; then
    export MMPOSE_SP_TEST_DEVICE=cpu CUDA_VISIBLE_DEVICES='' OMP_NUM_THREADS=1
    DEVICE=cpu
    HEADS=(--heads sp dark rle --epochs 1 --rates 2e-3 --until finals --workers 0 --train-faces 16)
    FEW=(train_dataloader.dataset.indices=16 val_dataloader.dataset.indices=8 test_dataloader.dataset.indices=8)
    HEAD_OPTIONS=("${FEW[@]}" train_dataloader.batch_size=8)
    STACK_OPTIONS=("${FEW[@]}" train_cfg.max_epochs=1 train_cfg.val_interval=1 train_dataloader.batch_size=2
        train_dataloader.dataset.indices=2 train_dataloader.num_workers=0 train_dataloader.persistent_workers=False)
else
    DEVICE=cuda
    export OMP_NUM_THREADS=1
    HEADS=(--heads sp sp-nosmooth sp-nomargin star softargmax msra dark --workers 12)
    HEAD_OPTIONS=()
    STACK_OPTIONS=(train_dataloader.batch_size=64 train_dataloader.num_workers=12 optim_wrapper.optimizer.lr=2e-3)
    if [ ! -d "$WORK/site" ]; then
        "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$WORK/site.part" \
            "$PACK"/wheels/*.whl && mv "$WORK/site.part" "$WORK/site" || exit
    fi
    export PYTHONPATH="$PYTHONPATH:$WORK/site"
    "$PYTHON" -m mmpose_sp.stand_ins || exit
fi
DATA=(train val test)
LOADERS=()
for NAME in "${DATA[@]}"; do LOADERS+=("${NAME}_dataloader.dataset.data_root=$PACK/300w/"); done

# step NAME COMMAND...: once, with its log in RESULTS, as long as there is time; a failure does not stop the others.
step() {
    local name="$1" left=$((END - SECONDS))
    shift
    [ -e "$RESULTS/$name.done" ] && return
    [ "$left" -gt 15 ] || { echo "$name: no time left, call again"; return; }
    echo "== $name, $left s left"
    timeout --signal=TERM --kill-after=20 "$left" "$@" >>"$RESULTS/$name.log" 2>&1
    local status=$?
    [ "$status" = 0 ] && touch "$RESULTS/$name.done"
    echo "$name: exit $status"
    tail -n 3 "$RESULTS/$name.log"
    [ "$status" = 0 ] || FAILED="$FAILED $name"
}
FAILED=''
BENCHMARK=(--device "$DEVICE" --out "$RESULTS/speed.json")
[ "$DEVICE" = cpu ] && BENCHMARK+=(--sections decode)

step tests "$PYTHON" -m pytest -p no:cacheprovider tests/test_gpu.py tests/test_speed
step speed "$PYTHON" tools/analysis_tools/benchmark_speed.py "${BENCHMARK[@]}"
step heads "$PYTHON" tools/benchmark_heads.py --track gpu --time "${HEADS[@]}" --work-dir "$WORK/heads" \
    --out "$RESULTS/heads.md" --cfg-options model.backbone.init_cfg=None "${LOADERS[@]}" "${HEAD_OPTIONS[@]}"
for OBJECTIVE in sp star softargmax; do
    NAME="td-hm_aam-hg4_$OBJECTIVE-1xb16-60e_300w-part-256x256"
    CONFIG="configs/face_2d_keypoint/topdown_heatmap/300w_part/$NAME.py"
    step "$NAME" "$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK/$NAME" --resume \
        --cfg-options randomness.seed=0 "${LOADERS[@]}" "${STACK_OPTIONS[@]}"
    if [ -e "$RESULTS/$NAME.done" ]; then
        step "test_$NAME" "$PYTHON" tools/test.py "$WORK/$NAME/$NAME.py" "$(ls "$WORK/$NAME"/best_NME_epoch_*.pth)" \
            --work-dir "$WORK/$NAME" --out "$RESULTS/$NAME.json"
    fi
done
[ -z "$FAILED" ] || { echo "failed or not finished:$FAILED"; exit 1; }
echo "all steps that there was time for are done: $RESULTS"
