#!/usr/bin/env python3
"""A training step replayed on GPUs that are not at hand: an estimate, not a measurement.

`tern bench model NAME --plan FILE` tells what Tern would launch on a device of many threads and so many
compute units: the implementation chosen for every node, its arithmetic, the bytes that it moves, its launches.
This script runs that for several networks and cards and adds up, for each node, the longest of three: its
arithmetic at the part of the card's peak that such a kernel reaches, its bytes at the part of the bandwidth, and
the start of its launches. The parts come from the static meter (static.py: multiply-adds among a tile's
instructions, widths of memory accesses) and are guesses to within a third. Beside it stands the same sum for
PyTorch in FP32 as it is known to run: products at a library's usual rate, every operation a kernel of its own.

    Benchmarks/gpu/model.py                                   # all networks, as Markdown
    Benchmarks/gpu/model.py resnet50:64 --card H200 --nodes   # where the time goes

Needs `swift build -c release --product tern` and any OpenCL driver, PoCL too: nothing is run.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TERN = ROOT / ".build" / "release" / "tern"
NETWORKS = ["lenet5:128", "resnet18:64", "resnet50:64", "vgg16:32", "mobilenet_v2:64", "unet:8", "vit_b_16:32"]


@dataclasses.dataclass(frozen=True)
class Card:
    name: str
    units: int
    gflops: float
    gbs: float
    # From one launch to the next where a kernel has nothing to do, in µs: the host's part or the device's.
    launch: float
    # Which row of PARTS holds.
    family: str
    # What PyTorch's libraries reach of the peak in products, and of the bandwidth elsewhere.
    library: tuple


CARDS = [
    Card("H200", 132, 66_900, 4300, 3.0, "nvidia", (0.72, 0.85)),
    # A multiply-add counts at dual issue, which compilers seldom reach; units as drivers count them, of Intel's
    # vector engines 16 together.
    Card("RX 7900 XTX", 48, 61_400, 960, 4.0, "rdna", (0.33, 0.80)),
    Card("RTX 3060", 28, 12_700, 360, 3.5, "nvidia", (0.75, 0.88)),
    Card("Arc A770", 32, 19_700, 560, 6.0, "xe", (0.55, 0.80)),
]

# What a kernel reaches, by the name of its implementation or of its kernel; the first that matches. Of the
# FP32 peak, and of the bandwidth. Tiles: their static share by what barriers and the edge of the pipeline cost
# (0.85 on NVIDIA, 0.8 of what dual issue gives on RDNA).
PARTS = [
    (r"^implicit-gemm 64x64x16", {"nvidia": (0.34, 0.5), "rdna": (0.19, 0.5), "xe": (0.25, 0.5)}),
    (r"clblast", {"nvidia": (0.20, 0.6), "rdna": (0.25, 0.6), "xe": (0.12, 0.5)}),
    (r"^(implicit-gemm|gemm|tile).*\d+x\d+(/\d+)?$", {"nvidia": (0.70, 0.8), "rdna": (0.40, 0.75), "xe": (0.50, 0.7)}),
    (r"^winograd", {"nvidia": (0.70, 0.6), "rdna": (0.40, 0.6), "xe": (0.45, 0.5)}),
    (r"^direct", {"nvidia": (0.18, 0.4), "rdna": (0.15, 0.4), "xe": (0.15, 0.4)}),
    (r"^depthwise", {"nvidia": (0.10, 0.5), "rdna": (0.10, 0.6), "xe": (0.10, 0.5)}),
    (r"attention", {"nvidia": (0.25, 0.6), "rdna": (0.20, 0.6), "xe": (0.20, 0.5)}),
    (r"batch_|normalize", {"nvidia": (0.20, 0.70), "rdna": (0.15, 0.70), "xe": (0.15, 0.65)}),
    (r"pool", {"nvidia": (0.10, 0.55), "rdna": (0.10, 0.50), "xe": (0.10, 0.50)}),
    (r"", {"nvidia": (0.20, 0.75), "rdna": (0.15, 0.80), "xe": (0.15, 0.70)}),
]
# Multiply-adds that Winograd's algorithm leaves: 36 for 144, 16 for 36.
WINOGRAD = {"winograd 4x4": 0.25, "winograd 2x2": 16 / 36}
PRODUCTS = re.compile(r"^(conv|matmul|linear|scaled_dot)")


def parts(name, family):
    return next(table[family] for pattern, table in PARTS if re.search(pattern, name))


def seconds(node, card):
    """What a node takes, and which of arithmetic, memory and launches it is."""
    name = node["implementation"] or node["op"]
    # Whose product multiplies Winograd's tiles decides.
    uses_library = any(launch["name"].startswith("clblast") for launch in node["launches"])
    compute, memory = parts("clblast" if uses_library else name, card.family)
    flops = node["flops"] * WINOGRAD.get(name, 1)
    # What Winograd's transforms write and read again: tiles of 36 for 16 elements, both ways.
    traffic = node["bytes"] * (1 + 2 * 36 / 16 if name in WINOGRAD else 1)
    return max(
        (flops / (card.gflops * 1e9 * compute), "compute"),
        (traffic / (card.gbs * 1e9 * memory), "memory"),
        (len(node["launches"]) * card.launch * 1e-6, "launch"))


def pytorch_seconds(operation, card):
    """An operation by itself, as the step has it before anything is merged."""
    # What moves little stands in its kernels for batch norm and losses: running statistics, scalars.
    if operation["bytes"] < 65536:
        return 0
    compute, memory = card.library
    is_product = PRODUCTS.match(operation["op"])
    # Updates of all parameters are a few launches (foreach).
    launch = 0 if operation["op"] == "sgd" else card.launch * 1e-6
    return max(
        operation["flops"] / (card.gflops * 1e9 * compute) if is_product else 0,
        operation["bytes"] / (card.gbs * 1e9 * memory), launch)


def plan(network, batch_size, card):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "plan.json"
        device = f"opencl/many-threads/compute-units={card.units}"
        subprocess.run(
            [TERN, "bench", "model", network, "--batch-size", batch_size, "--device", device, "--plan", file],
            check=True)
        return json.loads(file.read_text())["models"][0]


def launches(model):
    return [launch for node in model["nodes"] for launch in node["launches"] if "file" in launch]


def kernels(model):
    """Kernels with different defines, each of which is compiled."""
    return len({
        (launch["file"], launch["name"], tuple(sorted(launch["defines"].items()))) for launch in launches(model)})


def programs(model):
    """What is given to the compiler: kernels of one file together, each with its defines."""
    return len({launch["program"] for launch in launches(model)})


def heaviest(model, card):
    table = collections.defaultdict(lambda: [0, 0.0, 0, 0])
    for node in model["nodes"]:
        entry = table[node["op"], node["implementation"]]
        entry[0] += 1
        entry[1] += seconds(node, card)[0]
        entry[2] += node["flops"]
        entry[3] += node["bytes"]
    lines = ["| operation | implementation | nodes | ms | GFLOP | GB |", "|---|---|---|---|---|---|"]
    for (op, name), (count, time, flops, size) in sorted(table.items(), key=lambda item: -item[1][1])[:15]:
        lines.append(
            f"| {op} | {name} | {count} | {time * 1e3:.2f} | {flops / 1e9:.1f} | {size / 1e9:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NAME:BATCH")
    parser.add_argument("--card", choices=[card.name for card in CARDS], help="only this one")
    parser.add_argument("--nodes", action="store_true", help="print where the time goes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()

    cards = [card for card in CARDS if arguments.card in (None, card.name)]
    rows = []
    for entry in arguments.networks:
        network, _, batch_size = entry.partition(":")
        for card in cards:
            model = plan(network, batch_size or "64", card)
            times = [seconds(node, card) for node in model["nodes"]]
            total = sum(time for time, _ in times)
            bound = collections.Counter()
            for time, reason in times:
                bound[reason] += time
            reference = sum(pytorch_seconds(operation, card) for operation in model["operations"])
            rows.append({
                "network": network, "batch_size": int(batch_size or 64), "card": card.name,
                "launches": model["launches"], "programs": programs(model), "kernels": kernels(model),
                "gflop": sum(node["flops"] for node in model["nodes"]) / 1e9,
                "gb": sum(node["bytes"] for node in model["nodes"]) / 1e9,
                "estimated_ms": total * 1e3, "pytorch_fp32_estimated_ms": reference * 1e3,
                "of_which_compute": bound["compute"] / total, "of_which_memory": bound["memory"] / total,
                "of_which_launch": bound["launch"] / total,
            })
            if arguments.nodes:
                print(f"\n{network}, batch {batch_size}, {card.name}\n\n{heaviest(model, card)}\n")
    if arguments.json:
        print(json.dumps({"kind": "estimates", "rows": rows}))
        return
    print("| network | batch | card | launches | programs | kernels | GFLOP | GB | ms, estimated | "
          "PyTorch FP32, estimated | ratio | compute, memory, launch |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['network']} | {row['batch_size']} | {row['card']} | {row['launches']} | {row['programs']} | "
            f"{row['kernels']} | "
            f"{row['gflop']:.0f} | {row['gb']:.1f} | {row['estimated_ms']:.1f} | "
            f"{row['pytorch_fp32_estimated_ms']:.1f} | "
            f"{row['pytorch_fp32_estimated_ms'] / row['estimated_ms']:.2f} | "
            f"{100 * row['of_which_compute']:.0f}, {100 * row['of_which_memory']:.0f}, "
            f"{100 * row['of_which_launch']:.0f} % |")


if __name__ == "__main__":
    sys.exit(main())
