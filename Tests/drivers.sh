#!/usr/bin/env bash
# Runs `tern verify` on every OpenCL driver that works on a processor, with the kernels for processors and
# with those for GPUs, and once each with a group's work-items numbered backwards.
#
#   swift build -c release --product tern
#   Tests/drivers.sh                   # all drivers; sets up what is missing in .build/drivers
#   Tests/drivers.sh pocl intel        # those
#   DRIVERS_ARGUMENTS='--op softmax' Tests/drivers.sh
#
# PoCL is Debian's pocl-opencl-icd; Intel's CPU runtime comes from PyPI into a virtual environment; Mesa's
# rusticl is unpacked from Debian's mesa-opencl-icd, on llvmpipe. Nothing is installed in the system. A driver
# that cannot be had is said to be missing and fails the run, as a case that fails does, unless it is listed in
# Tests/drivers-excluded.txt with the driver's fault.
set -euo pipefail
cd "$(dirname "$0")/.."

tern=$PWD/.build/release/tern
work=$PWD/.build/drivers
excluded=$PWD/Tests/drivers-excluded.txt
mkdir -p "$work"
export OMP_WAIT_POLICY=passive

# The folder of a driver's .icd file; what else it needs in the environment goes to environment_NAME.
vendors() {
  mkdir -p "$work/vendors-$1"
  echo "$2" > "$work/vendors-$1/$1.icd"
}

set_up_pocl() {
  local library
  library=$(find /usr/lib -name 'libpocl.so.2' 2> /dev/null | head -1)
  [ -n "$library" ] || { echo "pocl: apt-get install pocl-opencl-icd" >&2; return 1; }
  vendors pocl "$library"
}

set_up_intel() {
  local environment=$work/intel
  if [ ! -e "$environment/lib/libintelocl.so" ]; then
    python3 -m venv "$environment"
    "$environment/bin/pip" -q install intel-opencl-rt intel-cmplr-lib-rt tbb
  fi
  # Its own loader, which lies beside it, must not take the system's place.
  vendors intel "$environment/lib/libintelocl.so"
}

set_up_rusticl() {
  local folder=$work/mesa library
  library=$(find /usr/lib "$folder" -name 'libRusticlOpenCL.so.1' 2> /dev/null | head -1)
  if [ -z "$library" ]; then
    mkdir -p "$folder"
    (
      cd "$folder"
      apt-get download -qq mesa-opencl-icd libllvmspirvlib15 libclc-15 2> /dev/null
      for package in *.deb; do dpkg -x "$package" .; done
      rm -f ./*.deb
    )
    library=$(find "$folder" -name 'libRusticlOpenCL.so.1' | head -1)
  fi
  [ -n "$library" ] || { echo "rusticl: apt-get install mesa-opencl-icd" >&2; return 1; }
  vendors rusticl "$library"
  environment_rusticl=(RUSTICL_ENABLE=llvmpipe "LD_LIBRARY_PATH=$(dirname "$library")")
}
environment_pocl=() environment_intel=() environment_rusticl=()

# verify NAME TRAITS: a row of the table; the cases that fail go to stderr.
verify() {
  local -n environment=environment_$1
  local device=opencl/$2 log=$work/$1-${2//\//-}.log start=$SECONDS status=0 driver
  driver=$(env OCL_ICD_VENDORS="$work/vendors-$1" "${environment[@]}" "$tern" devices |
    awk '/^opencl/ { print $NF; exit }')
  # shellcheck disable=SC2086
  env OCL_ICD_VENDORS="$work/vendors-$1" XDG_CACHE_HOME="$work/cache" "${environment[@]}" \
    "$tern" verify --device "$device" ${DRIVERS_ARGUMENTS:-} > "$log" 2>&1 || status=$?
  local failed=0 known=0 name
  while read -r _ name _; do
    if grep -qx "$1 $name" <(grep -v '^#' "$excluded"); then
      known=$((known + 1))
    else
      failed=$((failed + 1))
      echo "$1 ($2): $(grep -m 1 "  $name\b" "$log")" >&2
    fi
  done < <(grep -E '^(failed|error) ' "$log" || true)
  local passed
  passed=$(grep -c '^passed' "$log" || true)
  # A driver that ends the process has no summary.
  if ! grep -q ' errors on ' "$log"; then
    echo "$1 ($2): ended early, status $status: $(tail -1 "$log")" >&2
    failed=$((failed + 1))
  fi
  printf '%-8s  %-26s  %-34s  %6d  %6d  %8d  %7d\n' "$1" "$driver" "$2" "$passed" "$failed" \
    "$known" $((SECONDS - start))
  [ "$failed" = 0 ]
}

[ $# -gt 0 ] || set -- pocl intel rusticl
result=0
printf '%-8s  %-26s  %-34s  %6s  %6s  %8s  %7s\n' DRIVER VERSION KERNELS PASSED FAILED EXCLUDED SECONDS
for name in "$@"; do
  if ! "set_up_$name"; then
    echo "$name: missing" >&2
    result=1
    continue
  fi
  for traits in wide-cores many-threads wide-cores/reversed-ids many-threads/reversed-ids; do
    verify "$name" "$traits" || result=1
  done
done
exit $result
