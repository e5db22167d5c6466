#!/bin/bash
# Packs tern for a machine that has a GPU driver and nothing else: a static build, the shared
# libraries it needs, and a script that measures the machine.
#
#   Benchmarks/gpu.sh [FOLDER]          # default: .build-gpu
#   FOLDER/run.sh results.json          # on the other machine
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.build-gpu}
limit_kib=$((64 * 1024))

swift build -c release --product tern --static-swift-stdlib --scratch-path .build-static
binary=$(swift build -c release --static-swift-stdlib --scratch-path .build-static --show-bin-path)/tern

rm -rf "$folder"
mkdir -p "$folder/pack/lib"
cp "$binary" "$folder/pack/tern"
strip "$folder/pack/tern"

# The C library and its loader belong to each other and to the machine; everything else goes along.
ldd "$folder/pack/tern" | awk '$2 == "=>" { print $1, $3 }' | while read -r name path; do
  case $name in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) continue ;;
  esac
  [ -f "$path" ] || { echo "gpu.sh: $name was not found" >&2; exit 1; }
  cp -L "$path" "$folder/pack/lib/$name"
done

tar -C "$folder/pack" -czf "$folder/tern.tar.gz" .
rm -r "$folder/pack"
cp Benchmarks/gpu/run.sh Benchmarks/gpu/pytorch_cuda.py "$folder/"

size_kib=$(du -sk "$folder" | cut -f1)
if [ "$size_kib" -gt "$limit_kib" ]; then
  echo "gpu.sh: $folder takes $size_kib KiB, more than $limit_kib" >&2
  exit 1
fi
echo "$folder: $((size_kib / 1024)) MiB"
