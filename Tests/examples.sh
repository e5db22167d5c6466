#!/usr/bin/env bash
# Runs the built programs of Examples and looks for what they must come to: examples.sh FOLDER
set -euo pipefail
cd "$1"
run() {
  echo "$1"
  "./release/$1" | tee "$1.txt"
  grep -qE "$2" "$1.txt" || { echo "$1: expected '$2'" >&2; exit 1; }
}
run FirstProgram '^epoch 2: loss 0\.[0-9]+, test accuracy 0\.8[5-9]'
run CustomLayer 'learnt: (2\.9|3\.[01])'
run CustomLoop '^epoch [4-8]: .* test loss 0\.[45]'
run CustomOperation '^cpu \[-0\.3034[0-9]*, 0\.0, 1\.9439'
run Regression '^minutes = 6\.0861[0-9]* \+ \[6\.5336[0-9]*, 2\.1127'
