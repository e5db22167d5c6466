#!/usr/bin/env bash
# Runs the OpenCL kernels under Oclgrind, a simulator that reports accesses out of bounds, data races
# and reads of uninitialised memory.
#
#   apt-get install oclgrind
#   swift build -c release --product tern
#   Tests/oclgrind.sh                 # every recorded case up to 50 kB, and every kernel
#   Tests/oclgrind.sh conv2d gru      # those whose names start so
#   Tests/oclgrind.sh --quick         # kernels for GPUs whose work-items meet, a case each: what CI runs
#
# Each case runs twice: with the kernels for devices of few wide cores, and with those for many threads;
# some convolutions besides with every algorithm, and some products on emulated tensor cores. Each run
# has a process of its own: Oclgrind 21.10 takes memory that was freed and allocated again for
# uninitialised. Where nothing but uninitialised memory is reported, the case runs again with NaN in every
# buffer when it is made (Tests/filled_buffers.c): if it passes so and nothing is reported, no result depends
# on memory that nobody wrote, and the case is listed and not counted. Nor is one in which only kernels of
# CLBlast (Xgemm…) are reported, or in which they break the simulator. All cores are used; a run takes about
# forty minutes of two. A kernel in Kernels/ that no case ran is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export folder
# Another build of the command, where one is given.
export tern=${TERN:-.build/release/tern}

# Buffers that are filled when they are made.
filled=$folder/filled_buffers.so
${CC:-cc} -shared -fPIC -O2 -o "$filled" Tests/filled_buffers.c -ldl -lOpenCL
simulator=$(dirname "$(readlink -f "$(command -v oclgrind)")")/../lib/oclgrind/liboclgrind-rt.so
export filled simulator

# simulate LOG ARGUMENTS: `tern` in the simulator, which writes what it finds to the log.
simulate() {
  # Optimised code has instructions that the check for uninitialised memory does not know.
  timeout 1200 oclgrind --build-options -cl-opt-disable --data-races --uninitialized \
    --inst-counts --max-errors 20 --log "$@"
}
cat > "$folder/network.yaml" << 'END'
name: small
input: [1, 8, 8]
classes: 3
layers:
  - conv2d: {out_channels: 4, kernel_size: 3}
  - batch_norm
  - relu
  - flatten
  - linear: {out_features: 3}
END

# Whether a log tells of uninitialised memory and of nothing else. What follows a report is indented.
is_about_initialisation() {
  [ -s "$1" ] && ! grep '^[^[:space:]]' "$1" | grep -qivE 'uninitialized|further errors'
}
export -f simulate is_about_initialisation

# Runs one case; prints its outcome, and keeps the names of the kernels that ran.
#
# run ARCHITECTURE NAME ARGUMENTS: the arguments are those of `tern`, its verb first.
run() {
  architecture=$1
  name="$2 ($architecture)"
  output=$(mktemp -p "$folder" output.XXXXXX)
  log=$output.log
  status=0
  start=$(date +%s)
  device=opencl/$architecture/emulated-tensor-cores
  simulate "$log" "$tern" $3 --device "$device" > "$output" 2>&1 || status=$?
  echo "$(($(date +%s) - start)) $name" >> "$folder/seconds"
  if grep -qs 'Kernel: X' "$log" && ! grep 'Kernel:' "$log" | grep -qv 'Kernel: X'; then
    echo "CLBlast $name"
  elif [ "$status" -eq 0 ] && is_about_initialisation "$log" &&
    simulate "$log.filled" env LD_PRELOAD="$filled:$simulator" \
      "$tern" $3 --device "$device" > /dev/null 2>&1 && [ ! -s "$log.filled" ]; then
    echo "simulator $name"
  elif [ "$status" -ne 0 ] || [ -s "$log" ]; then
    echo "FAILED $name (exit $status)$([ -s "$log" ] && printf '\n' && head -20 "$log")"
  else
    echo "passed $name"
  fi
  # A program that has a kernel twice, with other defines, calls the second so with a number behind it.
  sed -n "s/^Instructions executed for kernel '\(.*\)':/\1/p" "$output" | sed 's/_[0-9]*$//' | sort -u > "$output.kernels"
  rm -f "$log" "$log.filled" "$output"
}
export -f run

# Cases that run each kernel for many threads whose work-items meet in local memory, in groups of several
# warps: what a missing barrier would make wrong, and a CPU's driver does not show.
quick="softmax/rows log_softmax/vector batch_norm/train-image layer_norm/rows nll_loss/rows-none sum/rows
  amax/rows permute/tiles embedding/sequence matmul/odd linear/classes conv2d/basic
  scaled_dot_product_attention/self max_pool2d/basic"

# Prints what to run: architecture, name and arguments.
list() {
  if [ "${1:-}" = --quick ]; then
    for case in $quick; do
      printf '%s\0' many-threads "$case" "verify --op $case"
    done
    for case in basic pointwise; do
      for pass in implicit-gemm; do
        printf '%s\0' many-threads "conv2d-$case by $pass" \
          "verify --cases Tests/Cases/conv2d-$case.safetensors --algorithm $pass"
      done
    done
    return
  fi
  # Vectors of eight: of halves of sixteen lanes that were added the simulator says they were not initialised
  # (`float8 e = v.lo + v.hi; float4 f = e.lo;`).
  # With two units what is added up comes in parts.
  for architecture in wide-cores=8 many-threads/compute-units=2; do
    for prefix in "${@:-}"; do
      for file in Tests/Cases/"$prefix"*.safetensors; do
        # Simulated, larger cases take minutes and run no other kernels.
        [ "$(stat -c %s "$file")" -gt 50000 ] ||
          printf '%s\0' "$architecture" "$(basename "$file" .safetensors)" "verify --cases $file"
      done
    done
    [ $# -eq 0 ] || continue
    # What is drawn at random has no recorded cases; some kernels run on larger shapes than recorded.
    for case in bernoulli/odd dropout/half randn/odd nll_loss/rows-none nll_loss/many-mean embedding/popular \
      cross_entropy/many-mean cross_entropy/planes-mean cross_entropy/rows-none \
      batch_norm/train-large conv2d/depthwise-many matmul/big matmul/thin pixel_values/quads pixel_values/odd; do
      printf '%s\0' "$architecture" "$case" "verify --op $case"
    done
    for algorithm in direct winograd gemm implicit-gemm im2col depthwise; do
      # CLBlast's kernels take the simulator minutes.
      cases="basic pointwise pointwise-stride2 depthwise dilated"
      [ "$algorithm" != im2col ] || cases=basic
      for case in $cases; do
        printf '%s\0' "$architecture" "conv2d-$case by $algorithm" \
          "verify --cases Tests/Cases/conv2d-$case.safetensors --algorithm $algorithm"
      done
    done
    # Steps that keep running statistics, the latter with all gradients bounded and averages of the parameters.
    step="bench model $folder/network.yaml --batch-size 4 --seconds 0.01"
    printf '%s\0' "$architecture" "a network's step" "$step"
    printf '%s\0' "$architecture" "a step with clipping" "$step --optimizer adam --clip-grad 1 --ema 0.9"
    if [ "$architecture" = wide-cores=8 ]; then
      # By cost it is for products that the simulator takes minutes for.
      printf '%s\0' "$architecture" "matmul/odd packed" "verify --op matmul/odd --algorithm packed"
      continue
    fi
    # Tiles with groups of several warps, edges, parts, phases, laps and long kernels.
    for case in matmul/exact-tiles matmul/exact-deep matmul/exact-big linear/odd; do
      printf '%s\0' "$architecture" "$case" "verify --op $case"
    done
    for case in pointwise-even stride-dilated stride-over-kernel long-row grouped odd-channels vgg; do
      printf '%s\0' "$architecture" "$case by tiles" \
        "verify --op conv2d/exact-$case --algorithm implicit-gemm"
    done
    for precision in tf32 bf16; do
      for case in matmul/odd matmul/batch linear/classes; do
        printf '%s\0' "$architecture" "$case in $precision" "verify --op $case --precision $precision"
      done
      for case in basic pointwise grouped; do
        printf '%s\0' "$architecture" "conv2d-$case in $precision" \
          "verify --cases Tests/Cases/conv2d-$case.safetensors --algorithm implicit-gemm --precision $precision"
      done
    done
  done
}

list "$@" | xargs -0 -n 3 -P "$(nproc)" bash -c 'run "$@"' _ | tee "$folder/outcomes" |
  grep -v '^passed' || true

echo "slowest, in seconds: $(sort -rn "$folder/seconds" | head -3 | paste -sd, | sed 's/,/, /g')"
count() { grep -c "^$1" "$folder/outcomes" || true; }
echo "$(count passed) passed, $(count FAILED) failed, $(count CLBlast) skipped, in $(count simulator) the simulator was mistaken"
[ "$(count passed)" -gt 0 ] && [ "$(count FAILED)" -eq 0 ] || exit 1

if [ $# -eq 0 ]; then
  sort -u "$folder"/*.kernels > "$folder/ran"
  # Those of Kernels/benchmark measure the device: they have no result to check.
  declared=$(find Kernels -name '*.cl' -not -path '*/benchmark/*' -exec \
    sed -n 's/^__kernel .*void \([a-z0-9_]*\)(.*/\1/p' {} + | sort -u)
  missing=$(comm -23 <(echo "$declared") "$folder/ran")
  echo "$(echo "$declared" | wc -l) kernels"
  [ -z "$missing" ] || { echo "never ran: $(echo $missing)" >&2; exit 1; }
fi
