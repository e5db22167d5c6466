"""Prints parameters of a run: python3 weights.py RUN NAME [NAME ...]"""
import json
import struct
import sys

with open(sys.argv[1] + "/checkpoints/last/weights.safetensors", "rb") as file:
    data = file.read()
size = struct.unpack("<Q", data[:8])[0]
entries = json.loads(data[8:8 + size])
for name in sys.argv[2:]:
    start, end = entries[name]["data_offsets"]
    numbers = struct.unpack(f"<{(end - start) // 4}f", data[8 + size + start:8 + size + end])
    print(name, " ".join(f"{number:.5f}" for number in numbers))
