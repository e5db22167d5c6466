"""Small good files of every format that tern reads: what the attack damages."""

import base64
import gzip
import io
import json
import math
import os
import struct
import tarfile
import zipfile
import zlib

GREY_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt"
    "QFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAv/EABkQAAEFAAAAAAAA"
    "AAAAAAAAAAAEBiEzUf/aAAgBAQAAPwAMJNXGH//Z")
PROGRESSIVE_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt"
    "QFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    "T09PT09PT09PT09PT09PT09PT0//wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAVAQEB"
    "AAAAAAAAAAAAAAAAAAADBP/aAAwDAQACEAMQAAABghX/xAAWEAEBAQAAAAAAAAAAAAAAAAABAxH/2gAIAQEAAQUCmGf/"
    "xAAYEQACAwAAAAAAAAAAAAAAAAAAAQIDIf/aAAgBAwEBPwGnII//xAAYEQACAwAAAAAAAAAAAAAAAAAAAQIDBP/aAAgB"
    "AgEBPwHfNq0//8QAFhABAQEAAAAAAAAAAAAAAAAAAQBx/9oACAEBAAY/Agwv/8QAGBABAQADAAAAAAAAAAAAAAAAAAER"
    "UXH/2gAIAQEAAT8hvJYS2f/aAAwDAQACAAMAAAAQD//EABgRAAIDAAAAAAAAAAAAAAAAAAABESFB/9oACAEDAQE/EGcL"
    "bP/EABcRAQADAAAAAAAAAAAAAAAAAAEAETH/2gAIAQIBAT8QSU7P/8QAGhABAAEFAAAAAAAAAAAAAAAAAQARIUGBsf/a"
    "AAgBAQABPxAYRU+hkX67P//Z")


def png(width, height, channels, seed, palette=False):
    """A picture of 8 bits a channel (or of palette numbers)."""
    color = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes((x * 37 + y * 11 + seed * 53) % (4 if palette else 256) for x in range(width * channels))
        for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0))
            + (chunk(b"PLTE", bytes(range(12))) if palette else b"")
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def idx(extents, data):
    return bytes([0, 0, 8, len(extents)]) + b"".join(struct.pack(">I", e) for e in extents) + data


def npy(shape, code, values):
    header = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    letter = {"<f4": "f", "<f8": "d", "<i4": "i", "<i8": "q", "|u1": "B"}[code]
    return (b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode()
            + struct.pack(f"<{len(values)}{letter}", *values))


def npz(members, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), data, compression)
    return buffer.getvalue()


def safetensors(tensors, metadata=None):
    """`tensors`: name -> (dtype, shape, bytes)."""
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def floats(count, seed=0):
    return struct.pack(f"<{count}f", *(math.sin(1.7 * i + seed) for i in range(count)))


def caffemodel():
    """The weights of PROTOTXT: layers with a name, a type, and blobs of a shape and numbers."""

    def varint(value):
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)

    def field(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    def blob(shape):
        extents = b"".join(varint(extent) for extent in shape)
        return field(7, field(7, field(1, extents)) + field(5, floats(math.prod(shape))))

    def layer(name, kind, *shapes):
        return field(100, field(1, name.encode()) + field(2, kind.encode()) + b"".join(map(blob, shapes)))

    return layer("conv", "Convolution", [2, 1, 3, 3], [2]) + layer("fc", "InnerProduct", [2, 32], [2])


def tar(members):
    """An archive of small files, in the form of POSIX with an extended header each."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.pax_headers = len(data), {"comment": name}
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def lmdb(entries, page=4096):
    """A database of one leaf whose values have pages of their own: what Caffe's tools write, but small."""
    absent = (1 << 64) - 1
    pages, leaf, nodes = {}, b"", []
    following = 3
    for key, value in entries:
        count = (len(value) + 16 + page - 1) // page
        pages[following] = (struct.pack("<QHHI", following, 0, 4, count) + value).ljust(count * page, b"\0")
        node = struct.pack("<IHH", len(value), 1, len(key)) + key + struct.pack("<Q", following)
        nodes.append(node + b"\0" * (len(node) % 2))
        following += count
    upper, offsets = page, []
    for node in nodes:
        upper -= len(node)
        leaf = node + leaf
        offsets.append(upper)
    lower = 16 + 2 * len(nodes)
    head = struct.pack("<QHHHH", 2, 0, 2, lower, upper) + struct.pack(f"<{len(offsets)}H", *offsets)
    leaf = head.ljust(upper, b"\0") + leaf

    def meta(number):
        free = struct.pack("<IHHQQQQQ", page, 8, 0, 0, 0, 0, 0, absent)
        main = struct.pack("<IHHQQQQQ", 0, 0, 1, 0, 1, following - 3, len(entries), 2)
        return (struct.pack("<QHHI", number, 0, 8, 0) + struct.pack("<IIQQ", 0xBEEFC0DE, 1, 0, 1 << 20)
                + free + main + struct.pack("<QQ", following - 1, number)).ljust(page, b"\0")

    return meta(0) + meta(1) + leaf + b"".join(pages[number] for number in sorted(pages))


def datum(data, label):
    """A grey picture of 8 by 8 as Caffe's tools put it into a database."""
    return b"\x08\x01\x10\x08\x18\x08\x22" + bytes([len(data)]) + data + b"\x28" + bytes([label])


NET = """name: attacked
input: [1, 8, 8]
classes: 2
layers:
  - conv2d: {out_channels: 2, kernel_size: 3, padding: 1}
  - batch_norm
  - relu
  - max_pool2d: {kernel_size: 2}
  - flatten
  - dropout: {p: 0.1}
  - linear: {name: head, out_features: 2}
"""

SEQUENCE = """name: sequence
input: [4, 4]
classes: 2
layers:
  - lstm: {hidden_size: 3}
  - layer_norm
  - linear: {out_features: 2}
"""

PERCEPTRON = """input: [3]
classes: 2
layers:
  - linear: {name: first, out_features: 4}
  - tanh: {name: bend}
  - linear: {from: [bend], out_features: 4}
  - add: {from: [bend, first]}
  - linear: {out_features: 2}
"""

PROTOTXT = """name: "attacked"
layer {
  name: "data" type: "Data" top: "data" top: "label"
  transform_param { scale: 0.00390625 }
  data_param { batch_size: 4 }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 }
  param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 2 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer {
  name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 }
}
layer {
  name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.1 } }
}
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""

SOLVER = """net: "net.prototxt"
base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "step"
gamma: 0.5
stepsize: 3
max_iter: 5
display: 1
"""

CONFIG = """model: net.yaml
data: "idx:idx"
epochs: 1
batch_size: 4
optimizer: adam
lr: 0.01
schedule: cosine
augment: flip,crop:1
label_smoothing: 0.1
seed: 3
"""

SWEEP = """method: random
trials: 2
metric: test_accuracy
settings: {model: net.yaml, data: "idx:idx", epochs: 1, batch_size: 4, device: reference}
parameters:
  lr: {min: 0.001, max: 0.3, scale: log}
  optimizer: [sgd, adam]
"""

SUITE = {"name": "attacked", "cases": [
    {"op": "conv2d", "batch": 1, "in_channels": 2, "height": 5, "width": 5, "out_channels": 2,
     "kernel_size": [3, 3], "padding": [1, 1]},
    {"op": "linear", "batch": 2, "in_features": 3, "out_features": 4, "bias": True},
    {"op": "matmul", "m": 3, "n": 4, "k": 5},
    {"op": "softmax", "input": [2, 3], "dim": 1},
    {"op": "optimizer.adam", "parameter": [10], "lr": 0.001}]}


def pixels(count, size, seed=0):
    return bytes((i * 31 + seed * 7 + i // size * 5) % 256 for i in range(count * size))


def write_all(folder, cases):
    """Writes every seed into `folder`; `cases` is the folder of recorded conformance cases."""

    def write(path, data):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())

    write("net.yaml", NET)
    write("net.prototxt", PROTOTXT)
    write("solver.prototxt", SOLVER)
    write("net.caffemodel", caffemodel())
    write("colour.yaml", NET.replace("[1, 8, 8]", "[3, 8, 8]"))
    write("sequence.yaml", SEQUENCE)
    write("perceptron.yaml", PERCEPTRON)
    write("config.yaml", CONFIG)
    write("sweep.yaml", SWEEP)
    write("suite.json", json.dumps(SUITE, indent=1))
    for kind in "ab":
        for i in range(3):
            write(f"pictures/{kind}/{i}.png", png(8, 8, 1, i + ord(kind)))
        write(f"pictures/{kind}/3.jpg", GREY_JPEG)
        write(f"pictures/{kind}/4.jpg", PROGRESSIVE_JPEG)
    write("one/grey.png", png(9, 8, 1, 1))
    write("one/colour.png", png(7, 9, 4, 2))
    write("one/palette.png", png(8, 8, 1, 3, palette=True))
    write("one/grey.jpg", GREY_JPEG)
    write("one/progressive.jpg", PROGRESSIVE_JPEG)
    for i in range(4):
        write(f"masks/images/{i}.png", png(8, 8, 1, i))
        write(f"masks/masks/{i}.png", png(8, 8, 1, i, palette=True))
    for name, count in [("train", 8), ("t10k", 4)]:
        images = idx([count, 8, 8], pixels(count, 64))
        labels = idx([count], bytes(i % 2 for i in range(count)))
        write(f"idx/{name}-images-idx3-ubyte", images)
        write(f"idx/{name}-labels-idx1-ubyte", labels)
        write(f"gzip/{name}-images-idx3-ubyte.gz", gzip.compress(images, mtime=0))
        write(f"gzip/{name}-labels-idx1-ubyte.gz", gzip.compress(labels, mtime=0))
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]:
        write(f"cifar10/{name}.bin", b"".join(bytes([i]) + pixels(1, 3072, i) for i in range(2)))
    for name in ["train", "test"]:
        write(f"cifar100/{name}.bin", b"".join(bytes([0, i]) + pixels(1, 3072, i) for i in range(2)))
    shard = {}
    for i in range(10):
        shard[f"s/{i}.png"] = png(8, 8, 1, i)
        shard[f"s/{i}.cls"] = b"%d" % (i % 2)
    write("shard.tar", tar(shard))
    write("shard.tar.gz", gzip.compress(tar(shard), mtime=0))
    write("lmdb/data.mdb", lmdb([(b"%08d" % i, datum(pixels(1, 64, i), i % 2)) for i in range(12)]))
    write("table.csv", "width,height,depth,label\n"
          + "".join(f"{i},{i * 2 % 7},{i / 3:.3f},{'xy'[i % 2]}\n" for i in range(12)))
    write("quoted.csv", "1.5,\"2\",-3e1,\"a,b\"\n2,3,4,\"c\"\"d\"\n5,6,7,\"a,b\"\n1,2,2,\"c\"\"d\"\n" * 2)
    fixtures = os.path.join(os.path.dirname(cases), "FormatCases", "hdf5")
    for name in ["earliest.h5", "packed.h5"]:
        with open(os.path.join(fixtures, name), "rb") as file:
            write(f"hdf5/{name}", file.read())
    write("list.txt", "".join(f"pictures/{kind}/{i}.{'jpg' if i > 2 else 'png'} {kind}\n" for kind in "ab" for i in range(5)))
    write("words.txt", "the cat sat, and the dog didn't.\n" * 6)
    write("texts.csv", "id,text,label\n" + "".join(f"{i},\"a {'good' if i % 2 else 'bad'} film, no {i}\",{i % 2}\n"
                                                  for i in range(12)))
    arrays = {"x_train": npy([8, 3], "<f4", [i / 7 for i in range(24)]),
              "y_train": npy([8], "<i8", [i % 2 for i in range(8)]),
              "x_test": npy([4, 3], "<f8", [i / 5 for i in range(12)]),
              "y_test": npy([4], "|u1", [i % 2 for i in range(4)])}
    write("arrays.npz", npz(arrays))
    write("stored.npz", npz(arrays, zipfile.ZIP_STORED))
    write("input.safetensors", safetensors({"images": ("F32", [2, 1, 8, 8], floats(128))}))
    for name in sorted(os.listdir(cases)):
        path = os.path.join(cases, name)
        if os.path.getsize(path) < 6000 and name.split("-")[0].split(".")[0] in {
                "conv2d", "conv1d", "conv_transpose2d", "lstm", "gru", "max_pool2d", "avg_pool2d", "cat", "narrow",
                "pad", "permute", "reshape", "sum", "embedding", "cross_entropy", "interpolate", "optimizer",
                "max_unpool2d", "matmul", "batch_norm", "group_norm", "attention", "adaptive_avg_pool2d"}:
            with open(path, "rb") as file:
                write(f"cases/{name}", file.read())
