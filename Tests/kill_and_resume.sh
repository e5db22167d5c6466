#!/usr/bin/env bash
# Kills a training run (SIGKILL) at random moments, resumes it each time, and compares what it ends
# with, byte for byte, with an uninterrupted run.
#
#   Tests/kill_and_resume.sh [TERN] [KILLS] [flags of tern train]
#
# By default .build/release/tern, 50 kills, and a network with dropout trained by momentum with an
# average of its weights.
set -euo pipefail
tern=$(realpath "${1:-.build/release/tern}")
kills=${2:-50}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Any bytes will do as pictures; these are everywhere the same build's.
mkdir data
samples() { # set, count
  printf '\0\0\10\3\0\0%b%b\0\0\0\34\0\0\0\34' "\\0$(printf %o $(($2 / 256)))" "\\0$(printf %o $(($2 % 256)))"
  head -c $(($2 * 784)) "$tern"
}
labels() {
  printf '\0\0\10\1\0\0%b%b' "\\0$(printf %o $(($2 / 256)))" "\\0$(printf %o $(($2 % 256)))"
  for ((i = 0; i < $2; i += 10)); do printf '\0\1\2\3\4\5\6\7\10\11'; done
}
for set in train:2000 t10k:100; do
  samples "${set%:*}" "${set#*:}" > "data/${set%:*}-images-idx3-ubyte"
  labels "${set%:*}" "${set#*:}" > "data/${set%:*}-labels-idx1-ubyte"
done
cat > net.yaml <<'END'
input: [1, 28, 28]
classes: 10
layers:
  - conv2d: {out_channels: 8, kernel_size: 5, stride: 2}
  - batch_norm
  - relu
  - dropout: {p: 0.2}
  - flatten
  - linear: {out_features: 10}
END
settings=(net.yaml --data idx:data --epochs 60 --batch-size 16 --save-every 20 --ema 0.99 --device cpu
  --threads 1 -q "${@:3}")

seconds() { date +%s.%N; }
start=$(seconds)
"$tern" train "${settings[@]}" --dry-run
setup=$(echo "$(seconds) - $start" | bc)
start=$(seconds)
"$tern" train "${settings[@]}" --out whole > /dev/null
whole=$(echo "$(seconds) - $start" | bc)
# A life goes on for so long after its start that all of them do not reach the end.
longest=$(echo "$setup + $whole / $kills" | bc -l)
echo "set-up $setup s, uninterrupted $whole s; each of $kills lives up to $longest s"

RANDOM=1
done=0
early=0
while ((done < kills)); do
  if [[ -e run/config.yaml ]]; then
    "$tern" train --resume run -q > /dev/null &
  else
    rm -rf run
    "$tern" train "${settings[@]}" --out run > /dev/null &
  fi
  child=$!
  sleep "$(echo "$longest * $RANDOM / 32768" | bc -l)"
  if kill -KILL "$child" 2> /dev/null; then
    done=$((done + 1))
  else
    early=$((early + 1))
    ((early < 3)) || { echo "the run was over after $done kills"; break; }
  fi
  wait "$child" 2> /dev/null || true
done
"$tern" train --resume run -q > /dev/null
for file in weights state; do
  # The state's metadata counts seconds, which differ; the tensors must not.
  path=checkpoints/last/$file.safetensors
  if [[ $file = weights ]]; then
    cmp "whole/$path" "run/$path"
  else
    body() { tail -c +$((9 + $(od -An -tu8 -N8 "$1"))) "$1"; }
    cmp <(body "whole/$path") <(body "run/$path")
  fi
done
cut -d, -f1-7 whole/results.csv > whole.csv
cut -d, -f1-7 run/results.csv > run.csv
cmp whole.csv run.csv
echo "$done kills, $(wc -l < run.csv) rows of results, and the same bytes"
((done == kills))
