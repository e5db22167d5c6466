#!/usr/bin/env python3
"""Training speed of Tern and PyTorch, alternating in one run on the same machine.

Whole steps are timed: forward, loss, backward, SGD with momentum, on synthetic images. PyTorch runs
in both memory formats; the faster one counts. Each round measures Tern, then PyTorch; the medians
over the rounds and the ratio of each round are printed as a Markdown table. With --precision bf16 PyTorch runs
under autocast, and Tern's float32 is measured in each round as well; with --compile PyTorch also runs compiled.

Needs a Python with torch (and torchvision, for the four large networks), and `swift build -c release --product tern`.

    python3 Benchmarks/compare_pytorch.py lenet5:64 --rounds 5
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TERN = ROOT / ".build" / "release" / "tern"


def lenet5(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    ), (1, 28, 28), 10


def mlp(nn):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
        nn.Linear(128, 10),
    ), (1, 28, 28), 10


def torchvision_model(name):
    def build(nn):
        import torchvision

        return getattr(torchvision.models, name)(), (3, 224, 224), 1000

    return build


MODELS = {"lenet5": lenet5, "mlp": mlp} | {
    name: torchvision_model(name) for name in (
        "alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "densenet121", "vit_b_16")
}


def measure_pytorch(name, batch, seconds, channels_last, threads, precision, compiles):
    """Runs in a process of its own; prints one JSON object."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, shape, classes = MODELS[name](torch.nn)
    images = torch.randn(batch, *shape)
    labels = torch.randint(classes, (batch,))
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    run = torch.compile(model) if compiles else model

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(run(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(5):
        step()
    times = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 5:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    print(json.dumps({
        "images_per_second": batch / statistics.median(times),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "version": torch.__version__,
    }))


def run_tern(name, batch, seconds, threads, precision):
    output = subprocess.run(
        [TERN, "bench", "model", name, "--batch-size", str(batch), "--device", "cpu",
         "--threads", str(threads), "--seconds", str(seconds), "--precision", precision, "--json"],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output)["results"][0]


def run_pytorch(name, batch, seconds, channels_last, threads, precision, compiles=False):
    output = subprocess.run(
        [sys.executable, __file__, "--worker", name, str(batch), str(seconds),
         str(int(channels_last)), str(threads), precision, str(int(compiles))],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def compare(name, batch, rounds, seconds, threads, precision, compiles):
    tern, torch, ratios, memory = [], [], [], []
    # Beside it: Tern's float32, and PyTorch compiled.
    own, own_memory, compiled = [], [], []
    version = None
    for _ in range(rounds):
        ours = run_tern(name, batch, seconds, threads, precision)
        theirs = max(
            (run_pytorch(name, batch, seconds, last, threads, precision) for last in (False, True)),
            key=lambda result: result["images_per_second"])
        if precision != "fp32":
            single = run_tern(name, batch, seconds, threads, "fp32")
            own.append(ours["images_per_second"] / single["images_per_second"])
            own_memory.append(ours["peak_rss_bytes"] / single["peak_rss_bytes"])
        if compiles:
            best = max(
                (run_pytorch(name, batch, seconds, last, threads, precision, True)
                 for last in (False, True)),
                key=lambda result: result["images_per_second"])
            compiled.append(ours["images_per_second"] / best["images_per_second"])
        version = theirs["version"]
        tern.append(ours["images_per_second"])
        torch.append(theirs["images_per_second"])
        ratios.append(tern[-1] / torch[-1])
        memory.append(ours["peak_rss_bytes"] / theirs["peak_rss_bytes"])
    result = {
        "model": name, "batch_size": batch, "threads": threads, "rounds": rounds,
        "precision": precision,
        "tern_images_per_second": statistics.median(tern),
        "pytorch_images_per_second": statistics.median(torch),
        "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
        "peak_rss_ratio": statistics.median(memory), "pytorch": version,
    }
    if own:
        result["own_float32_ratio"] = statistics.median(own)
        result["own_float32_peak_rss_ratio"] = statistics.median(own_memory)
    if compiled:
        result["compiled_ratio"] = statistics.median(compiled)
    return result


def row(result):
    """A row of the table; slow networks' rates need a decimal."""
    def rate(value):
        return f"{value:,.1f}" if value < 20 else f"{value:,.0f}"
    return (f"| {result['model']} | {result['batch_size']} | {rate(result['tern_images_per_second'])} | "
            f"{rate(result['pytorch_images_per_second'])} | {result['ratio']:.2f} "
            f"({result['ratio_min']:.2f}–{result['ratio_max']:.2f}) | "
            f"{result['peak_rss_ratio']:.2f} × |"
            + "".join(
                f" {result[key]:.2f} |" for key in (
                    "own_float32_ratio", "own_float32_peak_rss_ratio", "compiled_ratio")
                if key in result))


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        name, batch, seconds, last, threads, precision, compiles = sys.argv[2:]
        measure_pytorch(
            name, int(batch), float(seconds), bool(int(last)), int(threads), precision,
            bool(int(compiles)))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["lenet5:64"], metavar="MODEL:BATCH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--compile", action="store_true", help="also against torch.compile")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results to this file")
    arguments = parser.parse_args()

    results = []
    columns = ["network", "batch", "Tern, images/s", "PyTorch, images/s", "ratio (spread)", "peak memory"]
    if arguments.precision != "fp32":
        columns += ["ratio to own float32", "peak memory to own float32"]
    if arguments.compile:
        columns.append("ratio to torch.compile")
    print("| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    for specification in arguments.models:
        name, _, batch = specification.partition(":")
        if name not in MODELS:
            parser.error(f"unknown model {name}; known are {', '.join(MODELS)}")
        result = compare(
            name, int(batch or 64), arguments.rounds, arguments.seconds, arguments.threads,
            arguments.precision, arguments.compile)
        results.append(result)
        print(row(result), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
