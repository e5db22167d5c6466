"""What is attacked: a seed, the command that reads it, and how the seed is damaged."""

import os
from dataclasses import dataclass, field

REFERENCE = ["--device", "reference"]
DRY = ["--steps", "1", "--batch-size", "4", "--dry-run", *REFERENCE]


@dataclass
class Target:
    name: str
    # Files that are damaged: one of them in each case.
    files: list
    mutation: str
    # The command line; `@`, alone or behind a format (`hdf5:@`), stands for the damaged file.
    command: list
    # What the command reads besides, copied with it: files and folders.
    needs: list = field(default_factory=list)
    weight: int = 4
    # Environment besides the usual.
    environment: dict = field(default_factory=dict)


def every(folder, base, suffix=""):
    """The files of a folder of seeds."""
    found = []
    for path, _, names in os.walk(os.path.join(base, folder)):
        found += [os.path.relpath(os.path.join(path, name), base) for name in names if name.endswith(suffix)]
    return sorted(found)


def targets(base):
    pngs, jpegs = every("one", base, "png"), every("one", base, "jpg")
    run = lambda name: [f"{name}/{file}" for file in every("", os.path.join(base, name))]
    checkpoint = [f"run/checkpoints/last/{name}.safetensors" for name in ("weights", "state")]
    settings = [name for name in run("run") if name.endswith((".yaml", "summary.json"))]
    logs = ["run/results.csv", "run/log.jsonl", "run/summary.json"]
    net = ["net.yaml"]
    out = lambda suffix: ["--out", "out" + suffix]
    train = lambda model, data, *more: ["train", model, "--data", data, *DRY, *more]
    size = ["--image-size", "8"]
    resumed = ["train", "--resume", "run", "--epochs", "2", *REFERENCE]
    trained = ["run", "idx", *net]
    idx, gz = every("idx", base), every("gzip", base)
    list_ = [
        Target("png/predict", pngs, "png", ["predict", "run", "@", *REFERENCE], ["run", *net], 8),
        Target("png/train", every("pictures", base, "png"), "png", train("colour.yaml", "images:pictures", *size),
               ["pictures", "colour.yaml"]),
        Target("png/preview", every("pictures", base, "png"), "png",
               ["data", "preview", "--data", "images:pictures", *size, *out(".png"), "--augment", "flip,hsv"],
               ["pictures"]),
        Target("png/masks", every("masks", base), "png", ["data", "preview", "--data", "images:masks", *size, *out(".png")],
               ["masks"]),
        Target("jpeg/predict", jpegs, "damage", ["predict", "run", "@", *REFERENCE], ["run", *net], 8),
        Target("jpeg/train", every("pictures", base, "jpg"), "damage", train("colour.yaml", "images:pictures", *size),
               ["pictures", "colour.yaml"]),
        Target("idx/train", idx, "damage", train("net.yaml", "idx:idx"), ["idx", *net]),
        Target("idx/test", idx[:2], "damage", ["test", "run", "--data", "idx:idx", *REFERENCE], trained),
        Target("gzip/train", gz, "gzip", train("net.yaml", "idx:gzip"), ["gzip", *net]),
        Target("cifar/preview", every("cifar10", base), "damage",
               ["data", "preview", "--data", "cifar10:cifar10", *out(".png")], ["cifar10"], 2),
        Target("cifar100/preview", every("cifar100", base), "damage",
               ["data", "preview", "--data", "cifar100:cifar100", *out(".png")], ["cifar100"], 2),
        Target("csv/train", ["table.csv"], "text", train("linear", "csv:table.csv"), [], 6),
        Target("csv/quoted", ["quoted.csv"], "text", train("linear", "csv:quoted.csv"), []),
        Target("csv/test", ["table.csv"], "text", ["test", "csvrun", "--data", "csv:table.csv", *REFERENCE], ["csvrun"]),
        Target("text/train", ["words.txt"], "text", train("nnlm", "text:words.txt", "--sequence-length", "4"), [], 2),
        Target("text/bytes", ["words.txt"], "damage",
               train("nnlm", "text:words.txt", "--sequence-length", "4", "--tokens", "byte"), []),
        Target("text/table", ["texts.csv"], "text", train("text-mean", "text:texts.csv", "--sequence-length", "4"), [], 2),
        Target("text/test", ["words.txt"], "text", ["test", "textrun", "--data", "text:words.txt", "--device", "cpu", "--threads", "1"],
               ["textrun"]),
        Target("text/generate", ["textrun/checkpoints/last/weights.safetensors"], "safetensors",
               ["generate", "textrun", "--length", "2", "--prompt", "the cat", *REFERENCE], ["textrun", "words.txt"], 4),
        Target("tar/train", ["shard.tar"], "damage", train("colour.yaml", "tar:shard.tar", *size), ["colour.yaml"], 8),
        Target("tar/gzip", ["shard.tar.gz"], "gzip", train("colour.yaml", "tar:shard.tar.gz", *size), ["colour.yaml"]),
        Target("lmdb/train", ["lmdb/data.mdb"], "damage", train("net.yaml", "lmdb:lmdb"), net, 8),
        Target("hdf5/train", every("hdf5", base), "damage", train("linear", "hdf5:@", "--test-split", "0"), [], 8),
        Target("list/train", ["list.txt"], "text", train("colour.yaml", "list:list.txt", *size), ["pictures", "colour.yaml"]),
        Target("list/skip", every("pictures", base), "damage",
               train("colour.yaml", "list:list.txt", *size, "--on-error", "skip"),
               ["pictures", "list.txt", "colour.yaml"]),
        Target("tar/skip", ["shard.tar"], "damage", train("colour.yaml", "tar:shard.tar", *size, "--on-error", "skip"),
               ["colour.yaml"]),
        Target("npz/train", ["arrays.npz"], "archive", train("linear", "npz:arrays.npz"), [], 8),
        Target("npz/stored", ["stored.npz"], "archive", train("linear", "npz:stored.npz"), []),
        Target("weights/run", ["weights.safetensors"], "safetensors",
               ["run", "net.yaml", "--weights", "@", "--input", "input.safetensors", "--output", "out.safetensors",
                *REFERENCE], [*net, "input.safetensors"], 6),
        Target("weights/input", ["input.safetensors"], "safetensors",
               ["run", "net.yaml", "--weights", "weights.safetensors", "--input", "@", "--output", "out.safetensors",
                *REFERENCE], [*net, "weights.safetensors"]),
        Target("weights/import", ["weights.safetensors"], "safetensors",
               ["import", "@", "--model", "net.yaml", *out(".safetensors")], net),
        Target("weights/test", ["weights.safetensors"], "safetensors",
               ["test", "--model", "net.yaml", "--weights", "@", "--data", "idx:idx", *REFERENCE], ["idx", *net]),
        Target("weights/init", ["weights.safetensors"], "safetensors", train("net.yaml", "idx:idx", "--init", "@"),
               ["idx", *net]),
        Target("weights/numbers", ["weights.safetensors"], "floats",
               ["test", "--model", "net.yaml", "--weights", "@", "--data", "idx:idx", "--device", "cpu"], ["idx", *net]),
        Target("onnx/summary", ["net.onnx"], "damage", ["summary", "@", *REFERENCE], [], 8),
        Target("onnx/run", ["net.onnx"], "damage",
               ["run", "@", "--input", "input.safetensors", "--output", "out.safetensors", *REFERENCE],
               ["input.safetensors"], 6),
        Target("onnx/train", ["net.onnx"], "damage", ["train", "@", "--data", "idx:idx", *DRY], ["idx"]),
        Target("onnx/export", ["net.onnx"], "damage", ["export", "@", *out(".onnx")], []),
        Target("pt/run", ["weights.pt"], "torch",
               ["run", "net.yaml", "--weights", "@", "--input", "input.safetensors", "--output", "out.safetensors",
                *REFERENCE], [*net, "input.safetensors"], 6),
        Target("pt/import", ["weights.pt"], "damage",
               ["import", "@", "--model", "net.yaml", *out(".safetensors")], net),
        Target("prototxt/summary", ["net.prototxt"], "text",
               ["summary", "@", "--input", "1,8,8", *REFERENCE], [], 8),
        Target("prototxt/train", ["net.prototxt"], "damage", ["train", "@", "--data", "idx:idx", *DRY], ["idx"]),
        Target("prototxt/solver", ["solver.prototxt", "net.prototxt"], "text",
               ["train", "--solver", "solver.prototxt", "--data", "idx:idx", *DRY],
               ["idx", "net.prototxt", "solver.prototxt"], 6),
        Target("caffemodel/run", ["net.caffemodel"], "damage",
               ["run", "net.prototxt", "--weights", "@", "--input", "input.safetensors", "--output",
                "out.safetensors", *REFERENCE], ["net.prototxt", "input.safetensors"], 6),
        Target("cases/reference", every("cases", base), "safetensors", ["verify", "--cases", "@", *REFERENCE], [], 10),
        Target("cases/cpu", every("cases", base), "safetensors",
               ["verify", "--cases", "@", "--device", "cpu", "--json"], [], 10),
        Target("model/summary", ["net.yaml", "sequence.yaml", "perceptron.yaml"], "text",
               ["summary", "@", *REFERENCE], [], 10),
        Target("model/cpu", ["net.yaml", "sequence.yaml", "perceptron.yaml"], "text",
               ["summary", "@", "--device", "cpu", "--batch-size", "2"], [], 8),
        Target("model/train", net, "text", train("net.yaml", "idx:idx"), ["idx"], 6),
        Target("config/train", ["config.yaml"], "text", ["train", "--config", "@", *DRY], ["idx", *net], 10),
        Target("sweep", ["sweep.yaml"], "text", ["sweep", "@", *out("")], ["idx", *net], 4),
        Target("suite/bench", ["suite.json"], "json",
               ["bench", "all", "--peak", "50,10", "--suite", "@", "--iterations", "1", *REFERENCE], [], 8),
        Target("suite/cpu", ["suite.json"], "json",
               ["bench", "all", "--peak", "50,10", "--suite", "@", "--iterations", "1", "--device", "cpu", "--json"], []),
        Target("checkpoint/resume", checkpoint, "safetensors", resumed, trained, 10),
        Target("checkpoint/test", checkpoint, "safetensors", ["test", "run", *REFERENCE], trained, 6),
        Target("checkpoint/predict", checkpoint, "safetensors", ["predict", "run", "one/grey.png", *REFERENCE],
               ["run", "one", *net]),
        Target("run/resume", settings, "text", resumed, trained, 6),
        Target("run/test", settings, "text", ["test", "run", "--json", *REFERENCE], trained),
        Target("run/export", settings, "text", ["export", "run", *out(".npz")], ["run", *net], 3),
        Target("run/plot", logs + checkpoint, "text", ["plot", "run", *out(".svg")], ["run"], 3),
        Target("run/logs", logs, "text", resumed, trained, 3),
    ]
    if os.path.isdir(os.path.join(base, "cache")):
        programs = every("cache/tern/programs", base)
        tables = [file for file in every("cache/tern", base) if "tuning" in file]
        opencl = lambda name, files, mutation, weight: Target(
            name, files, mutation, ["verify", "--device", "opencl/stored-programs", "--op", "conv2d/basic"], ["cache"], weight,
            {"XDG_CACHE_HOME": "cache"})
        if tables:
            list_.append(opencl("tuning/verify", tables, "json", 2))
        if programs:
            list_.append(opencl("programs/verify", programs, "damage", 2))
    return list_


@dataclass
class Faulted:
    """A command in which calls fail. What it makes is compared with what it makes in peace."""
    name: str
    command: list
    needs: list
    # Files that must be whole where the exit code is 0.
    results: list = field(default_factory=list)


def faulted():
    net, idx = "net.yaml", "idx"
    train = ["train", "net.yaml", "--data", "idx:idx", "--epochs", "2", "--batch-size", "4", "--seed", "1"]
    weights = "out/checkpoints/last/weights.safetensors"
    return [
        Faulted("fault/train", [*train, "--out", "out", *REFERENCE], [net, idx], [weights]),
        Faulted("fault/train-cpu", [*train, "--out", "out", "--device", "cpu", "--threads", "2", "--workers", "2"], [net, idx],
                [weights]),
        Faulted("fault/resume", ["train", "--resume", "run", "--epochs", "2", *REFERENCE], ["run", net, idx],
                ["run/checkpoints/last/weights.safetensors"]),
        Faulted("fault/pictures", ["train", "colour.yaml", "--data", "images:pictures", "--image-size", "8", "--epochs", "1",
                             "--batch-size", "4", "--workers", "2", "--out", "out", *REFERENCE], ["colour.yaml", "pictures"], [weights]),
        Faulted("fault/gzip", ["train", "net.yaml", "--data", "idx:gzip", *DRY], [net, "gzip"]),
        Faulted("fault/csv", ["train", "linear", "--data", "csv:table.csv", *DRY], ["table.csv"]),
        Faulted("fault/text", ["train", "nnlm", "--data", "text:words.txt", "--sequence-length", "4", *DRY], ["words.txt"]),
        Faulted("fault/generate", ["generate", "textrun", "--length", "2", *REFERENCE], ["textrun", "words.txt"]),
        Faulted("fault/npz", ["train", "linear", "--data", "npz:arrays.npz", *DRY], ["arrays.npz"]),
        Faulted("fault/test", ["test", "run", "--json", *REFERENCE], ["run", net, idx]),
        Faulted("fault/predict", ["predict", "run", "one", "--json", *REFERENCE], ["run", net, "one"]),
        Faulted("fault/run", ["run", "net.yaml", "--weights", "weights.safetensors", "--input", "input.safetensors", "--output",
                        "out.safetensors", "--device", "cpu"], [net, "weights.safetensors", "input.safetensors"],
                ["out.safetensors"]),
        Faulted("fault/export", ["export", "run", "--out", "out.safetensors"], ["run", net], ["out.safetensors"]),
        Faulted("fault/import", ["import", "weights.safetensors", "--model", "net.yaml", "--out", "out.safetensors"],
                [net, "weights.safetensors"], ["out.safetensors"]),
        Faulted("fault/plot", ["plot", "run", "--out", "out.svg"], ["run"], ["out.svg"]),
        Faulted("fault/preview", ["data", "preview", "--data", "idx:idx", "--out", "out.png"], [idx], ["out.png"]),
        Faulted("fault/sweep", ["sweep", "sweep.yaml", "--out", "out"], ["sweep.yaml", net, idx]),
        Faulted("fault/verify", ["verify", "--cases", "cases", "--json", "--device", "cpu"], ["cases"]),
        Faulted("fault/bench", ["bench", "all", "--peak", "50,10", "--suite", "suite.json", "--iterations", "1", "--device", "cpu", "--threads", "2"],
                ["suite.json"]),
        Faulted("fault/summary", ["summary", "net.yaml", "--json", "--device", "cpu"], [net]),
    ]
