#!/usr/bin/env python3
"""Reads the files of a training run back with the programs they are made for.

    pip install tensorboard numpy safetensors
    tern train lenet5 --data fashion-mnist --epochs 2 --histograms --out run
    Tests/check_formats.py run [--tern .build/release/tern]

Checks results.csv and log.jsonl against each other, the TensorBoard events against the log (every
record's checksums are verified by TensorBoard's own reader), the pictures, the weights with
safetensors, and `tern export` to .npz with numpy, and to .pt with PyTorch where that is installed.
"""

import argparse
import csv
import glob
import importlib.util
import io
import json
import os
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}")


def close(a, b):
    return abs(a - b) <= 1e-6 * max(1, abs(b))


def png_pixels(data):
    """The raw bytes of a PNG whose rows use no filter, with every chunk's checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    stream, chunks = io.BytesIO(data[8:]), {}
    while header := stream.read(8):
        length, kind = struct.unpack(">I4s", header)
        content = stream.read(length)
        (checksum,) = struct.unpack(">I", stream.read(4))
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = chunks.get(kind, b"") + content
    width, height, depth, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8 and b"IEND" in chunks
    channels = {0: 1, 2: 3}[color]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8)
    rows = rows.reshape(height, width * channels + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--tern", help="the command, to check what it exports")
    arguments = parser.parse_args()

    def path(*names):
        return os.path.join(arguments.run, *names)

    with open(path("log.jsonl")) as file:
        events = [json.loads(line) for line in file]
    epochs = [event for event in events if event["event"] == "epoch"]
    steps = [event for event in events if event["event"] == "step"]
    check(epochs and steps, f"log.jsonl: {len(epochs)} epochs, {len(steps)} steps")

    with open(path("results.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    check(len(rows) == len(epochs), "results.csv: a row per epoch")
    for row, epoch in zip(rows, epochs):
        for name, text in row.items():
            value = epoch[name]
            if not (text == "" if value is None else close(float(text), value)):
                raise SystemExit(f"FAILED: results.csv: {name} {text} is not {value}")
    check(True, "results.csv: every value is the log's")

    check(glob.glob(path("events.out.tfevents.*")), "TensorBoard events exist")
    board = EventAccumulator(
        arguments.run, size_guidance={"scalars": 0, "histograms": 0, "images": 0})
    board.Reload()
    tags = board.Tags()
    for tag, name, source in [
        ("loss/train", "train_loss", epochs), ("loss/test", "test_loss", epochs),
        ("accuracy/test", "test_accuracy", epochs), ("loss/step", "loss", steps),
        ("learning_rate", "lr", steps),
    ]:
        got = [event.value for event in board.Scalars(tag)]
        check(
            len(got) == len(source) and all(close(a, b[name]) for a, b in zip(got, source)),
            f"TensorBoard: {tag}, {len(got)} values, are the log's")

    weights = load_file(path("checkpoints", "last", "weights.safetensors"))
    check(weights, f"safetensors: {len(weights)} tensors")
    with open(path("config.yaml")) as file:
        # Averaged weights are stored in place of the parameters that the histograms are of.
        stores_parameters = "ema: null" in file.read()
    for tag in tags["histograms"]:
        last = board.Histograms(tag)[-1].histogram_value
        if not close(sum(last.bucket), last.num) or len(last.bucket) != len(last.bucket_limit):
            raise SystemExit(f"FAILED: TensorBoard: {tag}: the buckets do not add up")
        name = tag.removeprefix("parameters/")
        if name in weights and stores_parameters:
            values = weights[name].astype(np.float64)
            if not (last.num == values.size and close(last.min, values.min())
                    and close(last.max, values.max()) and close(last.sum, values.sum())):
                raise SystemExit(f"FAILED: TensorBoard: {tag} is not how {name} is distributed")
    if tags["histograms"]:
        check(True, f"TensorBoard: {len(tags['histograms'])} histograms")
    for tag in tags["images"]:
        image = board.Images(tag)[-1]
        shape = png_pixels(image.encoded_image_string).shape
        if shape[:2] != (image.height, image.width):
            raise SystemExit(f"FAILED: TensorBoard: {tag} is {shape}")
    check(tags["images"], f"TensorBoard: {len(tags['images'])} pictures")

    if arguments.tern:
        with tempfile.TemporaryDirectory() as folder:
            loaders = {"npz": lambda p: dict(np.load(p)), "safetensors": load_file}
            if importlib.util.find_spec("torch"):
                import torch

                loaders["pt"] = lambda p: {
                    name: value.numpy() for name, value in torch.load(p, weights_only=True).items()}
            for kind, load in loaders.items():
                out = os.path.join(folder, f"weights.{kind}")
                subprocess.run(
                    [arguments.tern, "export", arguments.run, "--out", out], check=True,
                    stdout=subprocess.DEVNULL)
                exported = load(out)
                check(
                    exported.keys() == weights.keys()
                    and all((exported[n] == weights[n]).all() for n in weights),
                    f"tern export: {kind} holds the weights")


main()
