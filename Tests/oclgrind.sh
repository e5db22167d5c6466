#!/usr/bin/env bash
# Runs the OpenCL kernels under Oclgrind, a simulator that reports accesses out of bounds, data races
# and reads of uninitialised memory.
#
#   apt-get install oclgrind
#   swift build -c release --product tern
#   Tests/oclgrind.sh                 # every recorded case up to 60 kB
#   Tests/oclgrind.sh conv2d gru      # those whose names start so
#
# Each case runs twice: with the kernels for devices of few wide cores, and with those for many threads.
# Each run has a process of its own: Oclgrind 21.10 takes memory that was freed and allocated again
# for uninitialised. A case in which only kernels of CLBlast (Xgemm…) are reported, or in which they
# break the simulator, is listed and not counted.
set -euo pipefail
cd "$(dirname "$0")/.."
tern=.build/release/tern
log=$(mktemp)
trap 'rm -f "$log"' EXIT

cases=()
for prefix in "${@:-}"; do
  for file in Tests/Cases/"$prefix"*.safetensors; do
    # Simulated, larger cases take minutes and run no other kernels.
    [ "$(stat -c %s "$file")" -gt 60000 ] || cases+=("$file")
  done
done

failed=0
skipped=0
for run in "${cases[@]/#/wide-cores }" "${cases[@]/#/many-threads }"; do
  read -r architecture file <<< "$run"
  name="$(basename "$file" .safetensors) ($architecture)"
  rm -f "$log"
  status=0
  # Optimised code has instructions that the check for uninitialised memory does not know.
  TERN_OPENCL_ARCHITECTURE=$architecture \
    timeout 300 oclgrind --build-options -cl-opt-disable --data-races --uninitialized --max-errors 20 \
    --log "$log" "$tern" verify --device opencl --cases "$file" > /dev/null || status=$?
  if grep -qs 'Kernel: X' "$log" && ! grep 'Kernel:' "$log" | grep -qv 'Kernel: X'; then
    skipped=$((skipped + 1))
    echo "CLBlast $name"
  elif [ "$status" -ne 0 ] || [ -s "$log" ]; then
    failed=$((failed + 1))
    echo "FAILED $name (exit $status)"
    [ -f "$log" ] && head -20 "$log"
  fi
done
echo "$((2 * ${#cases[@]} - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
