#!/usr/bin/env bash
# Measure the profiles in scenarios/profiles on this machine, which should do nothing else meanwhile: about 4 minutes.
#   scripts/measure_profiles.sh [NAME…]     default: mlp cnn gpt resnet18
set -eu
cd "$(dirname "$0")/.."
methods='matrix.algorithm=[ddp, ddp_bf16, powersgd, psgd, memsgd, doublesqueeze, {name: liec, average_period: 32}, local_sgd]'
measure() {
  local name=$1; shift
  liecbench profile scenarios/quickstart.yaml -o "scenarios/profiles/$name.json" --set "$methods" \
    --set matrix.workers=[4] --set matrix.link=[none] --set matrix.seed=[0] "$@"
}
[ $# -gt 0 ] || set -- mlp cnn gpt resnet18
for name in "$@"; do
  case $name in
    mlp) measure mlp --set 'matrix.compressor=[sign, {name: top_k, ratio: 0.01}]' ;;
    cnn) measure cnn --set 'matrix.compressor=[sign, {name: top_k, ratio: 0.01}]' --model '{name: cnn, channels: 32}' ;;
    gpt) measure gpt --set target_accuracy=null --set 'matrix.compressor=[sign, {name: top_k, ratio: 0.05}]' --batch-size 8 \
      --model '{name: gpt, width: 64, layers: 2, heads: 4}' \
      --set 'task.dataset={name: text, context: 64, characters: 120000}' ;;
    resnet18) measure resnet18 --set 'matrix.compressor=[sign]' --model resnet18 \
      --set 'task.dataset={name: synthetic, train_samples: 2048}' ;;
    *) echo "unknown profile: $name" >&2; exit 2 ;;
  esac
done
