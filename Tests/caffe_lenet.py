#!/usr/bin/env python3
"""Trains Caffe's LeNet as its published solver says, from LMDB, and the same in PyTorch.

    python3 -m venv venv && venv/bin/pip install torch lmdb
    swift build -c release --product tern
    venv/bin/python Tests/caffe_lenet.py [--steps 10000] [--device cpu]

The databases hold Fashion-MNIST as Caffe's tools would write it. Net and solver have the structure and the
numbers of lenet_train_test.prototxt and lenet_solver.prototxt. Exits with 1 where Tern's accuracy on the test
set is below 0.985 of PyTorch's.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import lmdb
import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATIO = 0.985

DATA = """layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: %s }
  transform_param { scale: 0.00390625 }
  data_param { source: "%s" batch_size: %d backend: LMDB } }
"""
CONVOLUTION = """layer { name: "%s" type: "Convolution" bottom: "%s" top: "%s"
  param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: %d kernel_size: 5 stride: 1
    weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "pool%s" type: "Pooling" bottom: "%s" top: "pool%s"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""
PRODUCT = """layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s"
  param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: %d
    weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
"""


def net():
    text = 'name: "LeNet"\n'
    text += DATA % ("TRAIN", "examples/mnist/mnist_train_lmdb", 64)
    text += DATA % ("TEST", "examples/mnist/mnist_test_lmdb", 100)
    text += CONVOLUTION % ("conv1", "data", "conv1", 20, "1", "conv1", "1")
    text += CONVOLUTION % ("conv2", "pool1", "conv2", 50, "2", "conv2", "2")
    text += PRODUCT % ("ip1", "pool2", "ip1", 500)
    text += 'layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }\n'
    text += PRODUCT % ("ip2", "ip1", "ip2", 10)
    text += ('layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy"\n'
             "  include { phase: TEST } }\n")
    return text + ('layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" '
                   'top: "loss" }\n')


def solver(steps):
    return f"""net: "examples/mnist/lenet_train_test.prototxt"
test_iter: 100
test_interval: 500
base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "inv"
gamma: 0.0001
power: 0.75
display: 1000
max_iter: {steps}
snapshot: 5000
snapshot_prefix: "examples/mnist/lenet"
solver_mode: GPU
"""


def idx(path):
    with gzip.open(path) as file:
        data = file.read()
    extents = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(extents)


def varint(number):
    result = b""
    while number > 127:
        result += bytes([number & 127 | 128])
        number >>= 7
    return result + bytes([number])


def write(folder, pictures, labels):
    environment = lmdb.open(str(folder), map_size=1 << 30)
    with environment.begin(write=True) as transaction:
        for number, (picture, label) in enumerate(zip(pictures, labels)):
            height, width = picture.shape
            datum = b"\x08\x01\x10" + varint(height) + b"\x18" + varint(width)
            datum += b"\x22" + varint(picture.size) + picture.tobytes() + b"\x28" + varint(int(label))
            transaction.put(b"%08d" % number, datum)
    environment.close()


class LeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(1, 20, 5), torch.nn.Conv2d(20, 50, 5)
        self.ip1, self.ip2 = torch.nn.Linear(800, 500), torch.nn.Linear(500, 10)
        for layer in self.children():
            bound = (3 / layer.weight[0].numel()) ** 0.5
            torch.nn.init.uniform_(layer.weight, -bound, bound)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.ip2(self.ip1(x.flatten(1)).relu())


def train(data, steps, seed):
    torch.manual_seed(seed)
    x, y, tx, ty = data
    network = LeNet()
    groups = [{"params": [p for n, p in network.named_parameters() if "weight" in n], "factor": 1},
              {"params": [p for n, p in network.named_parameters() if "bias" in n], "factor": 2}]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=0.0005)
    order, place = torch.randperm(len(x)), 0
    for step in range(steps):
        rate = 0.01 * (1 + 0.0001 * step) ** -0.75
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        if place + 64 > len(x):
            order, place = torch.randperm(len(x)), 0
        batch = order[place:place + 64]
        place += 64
        optimizer.zero_grad()
        F.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = sum((network(tx[i:i + 500]).argmax(1) == ty[i:i + 500]).sum().item()
                    for i in range(0, len(tx), 500))
    return right / len(tx)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tern", default=str(ROOT / ".build/release/tern"))
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sets = [idx(f"{options.data}/{name}.gz") for name in (
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte")]
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "examples/mnist"
        place.mkdir(parents=True)
        write(place / "mnist_train_lmdb", sets[0], sets[1])
        write(place / "mnist_test_lmdb", sets[2], sets[3])
        (place / "lenet_train_test.prototxt").write_text(net())
        (place / "lenet_solver.prototxt").write_text(solver(options.steps))
        start = time.time()
        result = subprocess.run(
            [options.tern, "train", "--solver", "examples/mnist/lenet_solver.prototxt", "--device",
             options.device, "--seed", str(options.seed), "--out", "run", "--log-format", "json"],
            cwd=folder, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(result.stderr)
        seconds = time.time() - start
        tested = subprocess.run(
            [options.tern, "test", "run", "--device", options.device, "--json"], cwd=folder,
            capture_output=True, text=True)
        if tested.returncode != 0:
            sys.exit(tested.stderr)
        ours = json.loads(tested.stdout)["accuracy"]
    print(f"tern: {ours:.4f} after {options.steps} steps, {seconds:.0f} s on {options.device}", flush=True)
    x, y, tx, ty = sets
    start = time.time()
    theirs = train((torch.tensor(x[:, None]) / 256, torch.tensor(y).long(),
                    torch.tensor(tx[:, None]) / 256, torch.tensor(ty).long()), options.steps,
                   options.seed)
    print(f"pytorch: {theirs:.4f}, {time.time() - start:.0f} s")
    print(f"ratio: {ours / theirs:.4f}, at least {RATIO}")
    sys.exit(0 if ours >= RATIO * theirs else 1)


if __name__ == "__main__":
    main()
