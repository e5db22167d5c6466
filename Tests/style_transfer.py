#!/usr/bin/env python3
"""Holds `tern style` against PyTorch, and shows what it makes of scikit-learn's two photographs.

    python3 -m venv .build/style && .build/style/bin/pip install torch pillow safetensors scikit-learn
    .build/style/bin/python Tests/style_transfer.py --pictures .build/style-pictures

First, VGG-16 features with weights drawn by PyTorch: the Gram matrices of the style at five layers, with the
largest and with average pooling, and the loss of the content picture. Then the photographs at 256x256, 200 steps:
the total loss has to fall by 90 % in 5 minutes. Prints a line for each, and fails where one does not hold.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time

import numpy
import sklearn.datasets
import torch
from PIL import Image
from safetensors.numpy import load_file
from safetensors.torch import save_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
BOUND = 1e-4


def draw_weights(path, seed=0):
    """He's initialisation of VGG-16's convolutions, under torchvision's names."""
    generator = torch.Generator().manual_seed(seed)
    weights, place, channels = {}, 0, 3
    for width, depth in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(depth):
            deviation = math.sqrt(2 / (9 * channels))
            weights[f"features.{place}.weight"] = torch.randn(width, channels, 3, 3, generator=generator) * deviation
            weights[f"features.{place}.bias"] = torch.randn(width, generator=generator) * 0.05
            channels, place = width, place + 2
        place += 1
    save_file(weights, path)
    return weights


def features(picture, weights, averages):
    """The outputs of the ReLUs up to relu5_1, by name, in double precision."""
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).reshape(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).reshape(1, 3, 1, 1)
    x, place, found = (picture - mean) / deviation, 0, {}
    for block, depth in enumerate([2, 2, 3, 3, 1], 1):
        for number in range(1, depth + 1):
            weight, bias = (weights[f"features.{place}.{name}"].double() for name in ("weight", "bias"))
            x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))
            found[f"relu{block}_{number}"] = x
            place += 2
        x = torch.nn.functional.avg_pool2d(x, 2) if averages else torch.nn.functional.max_pool2d(x, 2)
        place += 1
    return found


def gram(x):
    rows = x.reshape(x.shape[1], -1)
    return rows @ rows.T / x.numel()


def load(path):
    pixels = numpy.asarray(Image.open(path).convert("RGB"), dtype=numpy.float64) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", help="keep the pictures in this folder")
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        out = options.pictures or folder
        os.makedirs(out, exist_ok=True)
        # At a size of their own, so that both programs read the same pixels.
        photographs = sklearn.datasets.load_sample_images()
        paths = []
        for name, pixels in zip(["china", "flower"], photographs.images):
            height, width = pixels.shape[:2]
            left = (width - height) // 2
            picture = Image.fromarray(pixels[:, left:left + height]).resize((256, 256), Image.BILINEAR)
            paths.append(os.path.join(out, f"{name}.png"))
            picture.save(paths[-1])
        common = [options.tern, "style", "--content", paths[0], "--style", paths[1], "--size", "256,256", "--json",
                  "--device", options.device]

        weights = draw_weights(os.path.join(folder, "vgg.safetensors"))
        for pooling in ["max", "average"]:
            lines = subprocess.run(
                common + ["--weights", os.path.join(folder, "vgg.safetensors"), "--pooling", pooling, "--steps", "1",
                          "--grams", os.path.join(folder, "grams.safetensors"), "--out",
                          os.path.join(folder, "one.png")], check=True, stdout=subprocess.PIPE).stdout.splitlines()
            found = load_file(os.path.join(folder, "grams.safetensors"))
            with torch.no_grad():
                theirs, own = (features(load(path), weights, pooling == "average") for path in reversed(paths))
                style = {name: gram(theirs[name]) for name in LAYERS}
                loss = 1000 * sum(0.2 / 4 * ((gram(own[name]) - style[name]) ** 2).sum().item() for name in LAYERS)
            for name in LAYERS:
                expected = style[name].numpy()
                error = numpy.abs(found[name] - expected).max()
                failed |= not error <= BOUND * min(1, expected.max())
                print(f"{pooling:7s} pooling {name}: largest difference {error:.1e}, of the largest element "
                      f"{error / expected.max():.1e} (bound {BOUND:.0e})")
            first = json.loads(lines[0])["loss"]
            failed |= not abs(first - loss) <= BOUND * loss
            print(f"{pooling:7s} pooling loss of the content: {first:.6f}, PyTorch's {loss:.6f}")

        for start in ["content", "noise"]:
            begin = time.time()
            lines = subprocess.run(
                common + ["--steps", str(options.steps), "--start", start, "--save-every", "50", "--out",
                          os.path.join(out, f"from-{start}.png")],
                check=True, stdout=subprocess.PIPE).stdout.splitlines()
            end, seconds = json.loads(lines[-1]), time.time() - begin
            fall = 1 - end["loss"] / end["first_loss"]
            failed |= not (fall >= 0.9 and seconds <= 300)
            print(f"from {start}: loss {end['first_loss']:.2f} to {end['loss']:.2f}, {100 * fall:.1f} % less, in "
                  f"{options.steps} steps, {seconds:.0f} s")
    sys.exit(failed)


if __name__ == "__main__":
    main()
