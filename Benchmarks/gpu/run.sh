#!/bin/bash
# Measures a machine with what Benchmarks/gpu.sh packed; one JSON object holds all results.
#
#   run.sh [--quick] [RESULTS.json]     # default: results.json; progress goes to stderr
#
# A step that fails, or prints no JSON, is null in the results. A failure does not end the run, but the
# exit code is then 1.
set -uo pipefail
export PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}

quick=
if [ "${1:-}" = --quick ]; then quick=1; shift; fi
results=$(realpath -m "${1:-results.json}")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xzf "$here/tern.tar.gz" || exit 1

# Where no driver is registered, NVIDIA's is looked for where it is installed without OpenCL's files.
if ! ls /etc/OpenCL/vendors/*.icd > /dev/null 2>&1; then
  driver=$(ldconfig -p 2> /dev/null | awk '/libnvidia-opencl\.so\.1/ { print $NF; exit }')
  for folder in /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/local/nvidia/lib64 /usr/lib/wsl/lib; do
    [ -n "$driver" ] || [ ! -e "$folder/libnvidia-opencl.so.1" ] ||
      driver=$folder/libnvidia-opencl.so.1
  done
  if [ -n "$driver" ]; then
    mkdir "$work/vendors"
    echo "$driver" > "$work/vendors/nvidia.icd"
    export OCL_ICD_VENDORS=$work/vendors
  else
    echo "run.sh: no OpenCL driver is registered, and NVIDIA's was not found" >&2
  fi
fi

# Seconds after which a step is ended.
limit=600
tern() {
  LD_LIBRARY_PATH=$work/lib HOME=${HOME:-$work} OMP_WAIT_POLICY=passive \
    timeout "$limit" "$work/tern" "$@"
}
pytorch() { timeout "$limit" python3 "$here/pytorch_cuda.py" "$@"; }

failures=0
names=()

# step NAME LIMIT COMMAND…: what the command prints last becomes NAME in the results.
step() {
  local name=$1 limit=$2 code
  shift 2
  echo "== $name" >&2
  "$@" > "$work/out" 2> "$work/errors"
  code=$?
  tail -n 1 "$work/out" > "$work/$name.json"
  grep -q '^{.*}$' "$work/$name.json" || echo null > "$work/$name.json"
  names+=("$name")
  if [ "$code" != 0 ]; then
    failures=$((failures + 1))
    echo "$name: exit code $code" >&2
    tail -n 3 "$work/errors" >&2
  fi
}

if [ -n "$quick" ]; then
  fast=(--iterations 5 --suite lenet5)
  step devices 60 tern devices --json
  step verify 300 tern verify --device opencl --op softmax --json
  step tune 120 tern tune --device opencl --suite lenet5 --budget 30 --json
  step gemm 300 tern bench gemm --device opencl "${fast[@]}" --json
  step conv 300 tern bench conv --device opencl "${fast[@]}" --json
  step ops 300 tern bench ops --device opencl "${fast[@]}" --json
  step conv_versus_im2col 300 tern bench conv --device opencl "${fast[@]}" --versus im2col --json
  step lenet5 120 tern bench model lenet5 --device opencl --seconds 0.5 --json
else
  step devices 60 tern devices --json
  step verify 300 tern verify --device opencl --json
  step tune 600 tern tune --device opencl --suite resnet50 --budget 500 --json
  step gemm 300 tern bench gemm --device opencl --json
  step conv 600 tern bench conv --device opencl --json
  step ops 300 tern bench ops --device opencl --json
  step resnet50_conv 300 tern bench conv --device opencl --suite resnet50 --json
  step conv_versus_im2col 600 tern bench conv --device opencl --suite resnet50 --versus im2col --json
  # On tensor cores; where there are none, tern says why.
  limit=300
  tern verify --device opencl --precision tf32 --op linear > /dev/null
  if [ $? != 69 ]; then
    for precision in tf32 bf16; do
      step "verify_$precision" 300 tern verify --device opencl --precision "$precision" --json
      step "gemm_$precision" 300 tern bench gemm --device opencl --precision "$precision" --json
      step "resnet50_$precision" 300 tern bench model resnet50 --device opencl --batch-size 32 \
        --precision "$precision" --json
    done
  fi
  step lenet5 120 tern bench model lenet5 --device opencl --batch-size 64 --json
  step resnet50 300 tern bench model resnet50 --device opencl --batch-size 32 --json
  if python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
    step pytorch_lenet5 120 pytorch lenet5 64
    step pytorch_resnet50 300 pytorch resnet50 32
  fi
fi

{
  separator='{'
  for name in "${names[@]}"; do
    printf '%s\n"%s":%s' "$separator" "$name" "$(cat "$work/$name.json")"
    separator=,
  done
  printf '\n}\n'
} > "$results" || exit 73
echo "$results: ${#names[@]} steps, $failures failed" >&2
[ "$failures" = 0 ]
