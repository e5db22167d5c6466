#!/usr/bin/env python3
"""Compare Tern's networks with torchvision's: same weights, same input, same logits.

    python3 -m venv venv && venv/bin/pip install torch torchvision safetensors
    swift build -c release --product tern
    venv/bin/python Tests/torchvision_parity.py [--device cpu] [MODEL ...]

Each network gets random weights and, so that normalisation does something, random running
statistics; they travel as safetensors. The largest difference of the logits must stay below 1e-4 of
the largest logit. Prints a line per network; exits with 1 where one differs. Not part of the tests
that run on every change: it needs PyTorch and a minute.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4
ROOT = pathlib.Path(__file__).resolve().parent.parent

# Tern's name -> how torchvision makes it.
MODELS = {
    "alexnet": lambda m: m.alexnet(),
    "vgg16": lambda m: m.vgg16(),
    "googlenet": lambda m: m.googlenet(aux_logits=False, init_weights=False),
    "googlenet_aux": lambda m: m.googlenet(aux_logits=True, init_weights=False),
    "resnet18": lambda m: m.resnet18(),
    "resnet34": lambda m: m.resnet34(),
    "resnet50": lambda m: m.resnet50(),
    "densenet121": lambda m: m.densenet121(),
    "mobilenet_v2": lambda m: m.mobilenet_v2(),
    "squeezenet1_1": lambda m: m.squeezenet1_1(),
}


def perturb(network):
    """Gives every normalisation statistics, scales and shifts that are not the neutral ones."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)


def compare(name, tern, device, folder):
    torch.manual_seed(0)
    network = MODELS[name](torchvision.models).eval()
    perturb(network)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = network(images)
    weights, inputs, outputs = (folder / f"{part}.safetensors" for part in "wxy")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
    save_file({"images": images}, inputs)
    subprocess.run(
        [tern, "run", name, "--weights", weights, "--input", inputs, "--output", outputs,
         "--device", device],
        check=True)
    got = load_file(outputs)["logits"]
    scale = expected.abs().max().item()
    error = (got - expected).abs().max().item() / scale
    agrees = got.shape == expected.shape and error < TOLERANCE
    print(f"{'ok  ' if agrees else 'FAIL'} {name:14} largest logit {scale:9.3g}  "
          f"largest difference {error:.1e} of it", flush=True)
    return agrees


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tern", default=ROOT / ".build/release/tern")
    options = parser.parse_args()
    for name in options.models:
        if name not in MODELS:
            parser.error(f"unknown model {name}; known are {', '.join(MODELS)}")
    with tempfile.TemporaryDirectory() as folder:
        results = [
            compare(name, options.tern, options.device, pathlib.Path(folder))
            for name in options.models or MODELS
        ]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
