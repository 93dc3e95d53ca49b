#!/usr/bin/env bash
# On a bare GPU machine without network: tests, benchmarks and comparisons, one after the other.
#   tools/misc/gpu_run.sh PACK RESULTS [--dry-run]
# PACK is what gpu_pack.py made. Ends after SECONDS_LEFT seconds (570); called again, it goes on: steps that RESULTS says
# are done are left out, trainings go on from WORK (/tmp/mmpose_sp). On another machine, with RESULTS alone, heads.json
# has every finished training of a head, and of the paper's network those that are tested are done; one that was under
# way begins again. --dry-run does a step of everything on a CPU, in the environment as it is.
set -u -o pipefail
if [ $# -lt 2 ]; then
    sed -n '2,8s/^# //p' "$0" >&2
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
export MMPOSE_SP_COMMIT="${MMPOSE_SP_COMMIT:-$(cat "$PACK/commit" 2>/dev/null)}"

if [ "$DRY" = '--dry-run' ]; then
    export MMPOSE_SP_TEST_DEVICE=cpu CUDA_VISIBLE_DEVICES='' OMP_NUM_THREADS=1
    DEVICE=cpu
    HEADS=(--heads sp dark rle --epochs 1 --rates 2e-3 --seeds 1 --workers 0 --train-faces 16)
    SEEDS=(0)
    FEW=(train_dataloader.dataset.indices=16 val_dataloader.dataset.indices=8 test_dataloader.dataset.indices=8)
    HEAD_OPTIONS=("${FEW[@]}" train_dataloader.batch_size=8)
    STACK_OPTIONS=("${FEW[@]}" train_cfg.max_epochs=1 train_cfg.val_interval=1 train_dataloader.batch_size=2
        train_dataloader.dataset.indices=2 train_dataloader.num_workers=0 train_dataloader.persistent_workers=False)
else
    DEVICE=cuda
    export OMP_NUM_THREADS=1
    HEADS=(--heads sp sp-nosmooth sp-nomargin star softargmax msra dark --workers 12)
    HEAD_OPTIONS=()
    SEEDS=(0 1 2)
    STACK_OPTIONS=(train_dataloader.batch_size=32 train_dataloader.num_workers=12) # 2,040 steps, which fit in a run
    if [ ! -d "$WORK/site" ]; then
        rm -rf "$WORK/site.part"
        "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$WORK/site.part" \
            "$PACK"/wheels/*.whl && mv "$WORK/site.part" "$WORK/site" || exit
    fi
    export PYTHONPATH="$PYTHONPATH:$WORK/site"
    "$PYTHON" -m mmpose_sp.stand_ins || exit
fi
# The same path on every machine: a record is refused where the config says another.
ln -sfn "$PACK/300w" "$WORK/300w"
LOADERS=()
for NAME in train val test; do LOADERS+=("${NAME}_dataloader.dataset.data_root=$WORK/300w/"); done

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
SECTIONS=(loss decode joining inference pipeline codec scaling step) # the longest last
[ "$DEVICE" = cpu ] && SECTIONS=(decode)

# heads STAGE: all of benchmark_heads.py up to a stage, on one page.
heads() {
    step "heads_$1" "$PYTHON" tools/benchmark_heads.py --track gpu "${HEADS[@]}" --until "$1" --work-dir "$WORK/heads" \
        --out "$RESULTS/heads.md" "${@:2}" \
        --cfg-options model.backbone.init_cfg=None "${LOADERS[@]}" "${HEAD_OPTIONS[@]}"
}

# stack OBJECTIVE SEED: the paper's network, trained and tested in one step, for weights stay in WORK.
stack() {
    local name="td-hm_aam-hg4_$1-1xb16-60e_300w-part-256x256"
    local config="configs/face_2d_keypoint/topdown_heatmap/300w_part/$name.py"
    # shellcheck disable=SC2016  # the inner shell expands it
    step "${name}_s$2" bash -c '
        "$PYTHON" tools/train.py "$1" --work-dir "$2" --resume --cfg-options "${@:4}" || exit
        "$PYTHON" tools/test.py "$1" "$(ls -t "$2"/best_NME_epoch_*.pth | head -n 1)" --work-dir "$2" --out "$3" \
            --cfg-options "${@:4}"' \
        stack "$config" "$WORK/${name}_s$2" "$RESULTS/${name}_s$2.json" \
        "randomness.seed=$2" "${LOADERS[@]}" "${STACK_OPTIONS[@]}"
}

step tests "$PYTHON" -m pytest -p no:cacheprovider tests/test_gpu.py tests/test_speed
for SECTION in "${SECTIONS[@]}"; do
    step "speed_$SECTION" "$PYTHON" tools/analysis_tools/benchmark_speed.py --sections "$SECTION" --device "$DEVICE" \
        --out "$RESULTS/speed_$SECTION.json"
done
heads finals
for OBJECTIVE in sp star softargmax mse; do stack "$OBJECTIVE" 0; done
heads seeds --time
for SEED in "${SEEDS[@]:1}"; do
    for OBJECTIVE in sp star softargmax mse; do stack "$OBJECTIVE" "$SEED"; done
done
[ -z "$FAILED" ] || { echo "failed or not finished:$FAILED"; exit 1; }
echo "all steps that there was time for are done: $RESULTS"
