"""Pairs of Fashion-MNIST's pictures for a siamese network, half of them of one class.

python3 pairs.py pairs.npz writes them; python3 pairs.py pairs.npz RUN tells how often two pictures of one class
are nearer to one another than two of different classes, by the codes that the run's network gives them.
"""
import gzip
import json
import struct
import subprocess
import sys

import numpy

ROOT = "/usr/share/datasets/fashion-mnist/"


def idx(name, offset):
    with gzip.open(ROOT + name) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=offset)


def write_pairs(path):
    draws = numpy.random.default_rng(0)
    arrays = {}
    for part, name, count in [("train", "train", 20000), ("test", "t10k", 4000)]:
        pictures = idx(f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = idx(f"{name}-labels-idx1-ubyte.gz", 8)
        first = draws.integers(0, len(labels), count)
        second = draws.integers(0, len(labels), count)
        for i in range(0, count, 2):
            second[i] = draws.choice(numpy.flatnonzero(labels == labels[first[i]]))
        for side, chosen in [("left", first), ("right", second)]:
            arrays[f"{side}_{part}"] = (pictures[chosen] / numpy.float32(255))[:, None]
        arrays[f"y_{part}"] = (labels[first] == labels[second]).astype(numpy.float32)[:, None]
    numpy.savez(path, **arrays)


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        bytes_ = numpy.ascontiguousarray(value, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": value.shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = numpy.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return tensors


if len(sys.argv) == 2:
    write_pairs(sys.argv[1])
else:
    pairs = numpy.load(sys.argv[1])
    write_tensors("pairs.in", {"left": pairs["left_test"], "right": pairs["right_test"]})
    subprocess.run(
        ["tern", "run", "siamese.yaml", "--weights", sys.argv[2], "--input", "pairs.in", "--output", "pairs.out"],
        check=True)
    codes = read_tensors("pairs.out")
    distances = numpy.linalg.norm(codes["left_code"] - codes["right_code"], axis=1)
    same = pairs["y_test"][:, 0] == 1
    nearer = (distances[same][:, None] < distances[~same][None]).mean()
    print(f"pictures of one class are nearer in {100 * nearer:.1f} % of the comparisons")
