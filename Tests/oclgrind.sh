#!/usr/bin/env bash
# Runs the OpenCL kernels under Oclgrind, a simulator that reports accesses out of bounds, data races
# and reads of uninitialised memory.
#
#   apt-get install oclgrind
#   swift build -c release --product tern
#   Tests/oclgrind.sh                 # every recorded case up to 50 kB
#   Tests/oclgrind.sh conv2d gru      # those whose names start so
#
# Each case runs twice: with the kernels for devices of few wide cores, and with those for many threads.
# Each run has a process of its own: Oclgrind 21.10 takes memory that was freed and allocated again
# for uninitialised. A case in which only kernels of CLBlast (Xgemm…) are reported, or in which they
# break the simulator, is listed and not counted. All cores are used; a run may take ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

# Runs one case; prints its outcome.
run() {
  architecture=$1
  file=$2
  name="$(basename "$file" .safetensors) ($architecture)"
  log=$(mktemp -u)
  status=0
  # Optimised code has instructions that the check for uninitialised memory does not know.
  TERN_OPENCL_ARCHITECTURE=$architecture \
    timeout 600 oclgrind --build-options -cl-opt-disable --data-races --uninitialized --max-errors 20 \
    --log "$log" .build/release/tern verify --device opencl --cases "$file" > /dev/null 2>&1 || status=$?
  if grep -qs 'Kernel: X' "$log" && ! grep 'Kernel:' "$log" | grep -qv 'Kernel: X'; then
    echo "CLBlast $name"
  elif [ "$status" -ne 0 ] || [ -s "$log" ]; then
    echo "FAILED $name (exit $status)$([ -s "$log" ] && printf '\n' && head -20 "$log")"
  else
    echo "passed $name"
  fi
  rm -f "$log"
}
export -f run

outcomes=$(mktemp)
trap 'rm -f "$outcomes"' EXIT
for architecture in wide-cores many-threads; do
  for prefix in "${@:-}"; do
    for file in Tests/Cases/"$prefix"*.safetensors; do
      # Simulated, larger cases take minutes and run no other kernels.
      [ "$(stat -c %s "$file")" -gt 50000 ] || printf '%s\0%s\0' "$architecture" "$file"
    done
  done
done | xargs -0 -n 2 -P "$(nproc)" bash -c 'run "$@"' _ | tee "$outcomes" | grep -v '^passed' || true

count() { grep -c "^$1" "$outcomes" || true; }
echo "$(count passed) passed, $(count FAILED) failed, $(count CLBlast) skipped"
[ "$(count passed)" -gt 0 ] && [ "$(count FAILED)" -eq 0 ]
