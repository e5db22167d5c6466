#!/usr/bin/env python3
"""A network of PyTorch's is trained on here and goes back: by ONNX, and by its weights.

    python3 -m venv venv && venv/bin/pip install torch torchvision onnx onnxruntime onnxscript pillow
    swift build -c release --product tern
    venv/bin/python Tests/round_trip.py [--device cpu]

A resnet18 with random weights is exported by torch.onnx.export, fine-tuned by Tern for one epoch on a folder of
pictures, exported, and run by onnxruntime; the same with a .pth file of its weights and PyTorch. Both have to
say of every test picture what `tern predict` says: the same class, and probabilities within 1e-4 (pictures are
decoded and resized by Pillow here). PyTorch's exporter folds batch norm into the convolutions, so that the ONNX file
learns more slowly. Exits with 1 where they do not.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDE = 64
TOLERANCE = 1e-4
SHAPES = ["bar", "cross", "disc", "ring"]


def picture(kind, draws):
    """A bright shape of random place, size and colours on noise, in a picture that is not square."""
    height, width = draws.integers(70, 110, 2)
    pixels = draws.integers(0, 90, (height, width, 3)).astype(np.float32)
    y, x = np.mgrid[:height, :width]
    cy, cx = height * draws.uniform(0.4, 0.6), width * draws.uniform(0.4, 0.6)
    radius = draws.uniform(16, 26)
    away = np.hypot(y - cy, x - cx)
    inside = {
        "bar": (abs(y - cy) < radius / 3) & (abs(x - cx) < radius),
        "cross": ((abs(y - cy) < radius / 4) | (abs(x - cx) < radius / 4)) & (away < radius),
        "disc": away < radius,
        "ring": (away < radius) & (away > radius * 0.7),
    }[kind]
    pixels[inside] = draws.integers(120, 256, 3)
    return Image.fromarray(pixels.astype(np.uint8))


def write_pictures(folder, counts):
    draws = np.random.default_rng(0)
    for part, count in counts.items():
        for kind in SHAPES:
            place = folder / part / kind
            place.mkdir(parents=True)
            for number in range(count):
                picture(kind, draws).save(place / f"{number:03d}.png")


def sample(path, mean, deviation):
    """A sample as Tern makes it: the middle 7/8 of the largest square, resized, normalised."""
    image = Image.open(path).convert("RGB")
    side = min(image.size) * 7 / 8
    left, top = (image.width - side) / 2, (image.height - side) / 2
    # As real numbers, which Pillow does not round to whole ones.
    planes = [plane.convert("F").resize((SIDE, SIDE), Image.BILINEAR, box=(left, top, left + side, top + side))
              for plane in image.split()]
    pixels = np.stack([np.asarray(plane, np.float32) for plane in planes]) / 255
    return ((pixels - mean[:, None, None]) / deviation[:, None, None]).astype(np.float32)


def tern(options, folder, *arguments):
    result = subprocess.run([options.tern, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"tern {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


def predictions(options, folder, run, paths):
    """The probabilities of all classes that `tern predict` prints of each picture."""
    lines = tern(options, folder, "predict", run, *paths, "--json", "--device", options.device).splitlines()
    result = []
    for line in lines:
        classes = {entry["name"]: entry["probability"] for entry in json.loads(line)["predictions"]}
        result.append([classes[name] for name in SHAPES])
    return np.array(result)


def normalization(config):
    """Mean and deviation of each channel, as a checkpoint has them: MEAN,STD;MEAN,STD;…"""
    pairs = [[float(number) for number in pair.split(",")] for pair in config.split(";")]
    return np.array(pairs * (3 if len(pairs) == 1 else 1), np.float32).T


def compare(name, ours, theirs):
    scores = np.exp(theirs - theirs.max(1, keepdims=True))
    theirs = scores / scores.sum(1, keepdims=True)
    same = int((ours.argmax(1) == theirs.argmax(1)).sum())
    difference = float(abs(ours - theirs).max())
    print(f"{name}: {same} of {len(ours)} predictions the same, probabilities within {difference:.1e}",
          flush=True)
    return same == len(ours) and difference < TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tern", default=str(ROOT / ".build/release/tern"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", type=int, default=100, help="pictures of each class to train on")
    options = parser.parse_args()
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=len(SHAPES)).eval()
    isFine = True
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        write_pictures(folder / "pictures", {"train": options.count, "test": 15})
        torch.onnx.export(
            network, (torch.zeros(2, 3, SIDE, SIDE),), str(folder / "resnet18.onnx"),
            input_names=["input"], output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True)
        exported = onnx.load(folder / "resnet18.onnx", load_external_data=False)
        print(f"torch {torch.__version__} exported opset {exported.opset_import[0].version}")
        torch.save(network.state_dict(), folder / "resnet18.pth")
        settings = ["--data", "images:pictures", "--image-size", SIDE, "--epochs", 1, "--batch-size", 8,
                    "--lr", "0.01", "--momentum", "0.9", "--device", options.device]
        tern(options, folder, "train", "resnet18.onnx", *settings, "--out", "by-onnx")
        tern(options, folder, "train", "resnet18", "--init", "resnet18.pth", *settings, "--out", "by-pth")
        paths = sorted((folder / "pictures/test").glob("*/*.png"))
        truth = np.array([SHAPES.index(path.parent.name) for path in paths])

        tern(options, folder, "export", "by-onnx", "--out", "tuned.onnx")
        tuned = onnx.load(folder / "tuned.onnx")
        onnx.checker.check_model(tuned)
        metadata = {entry.key: entry.value for entry in tuned.metadata_props}
        x = np.stack([sample(path, *normalization(metadata["normalization"])) for path in paths])
        session = onnxruntime.InferenceSession(str(folder / "tuned.onnx"))
        theirs = session.run(None, {session.get_inputs()[0].name: x})[0]
        ours = predictions(options, folder, "by-onnx", paths)
        isFine &= compare("ONNX, onnxruntime", ours, theirs)
        print(f"  accuracy {(ours.argmax(1) == truth).mean():.3f} after an epoch")

        tern(options, folder, "export", "by-pth", "--out", "tuned.pt")
        tern(options, folder, "export", "by-pth", "--out", "tuned-too.onnx")
        metadata = {entry.key: entry.value for entry in onnx.load(folder / "tuned-too.onnx").metadata_props}
        x = np.stack([sample(path, *normalization(metadata["normalization"])) for path in paths])
        network.load_state_dict(torch.load(folder / "tuned.pt", weights_only=True), strict=False)
        with torch.no_grad():
            theirs = network.eval()(torch.tensor(x)).numpy()
        ours = predictions(options, folder, "by-pth", paths)
        isFine &= compare(".pth and .pt, PyTorch", ours, theirs)
        print(f"  accuracy {(ours.argmax(1) == truth).mean():.3f} after an epoch")
    sys.exit(0 if isFine else 1)


if __name__ == "__main__":
    main()
