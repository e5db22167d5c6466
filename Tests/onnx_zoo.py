#!/usr/bin/env python3
"""Holds every network that comes with Tern, as an ONNX file, against onnxruntime.

    pip install onnx onnxruntime
    Tests/onnx_zoo.py                         # writes Benchmarks/results/onnx.md
    Tests/onnx_zoo.py --only lenet5,lstm      # prints their rows

Weights are the initial ones, moved by random numbers, so that biases and statistics count. Each file passes
onnx's checker with shapes inferred, and is run with three samples, and with one; Tern runs the network itself.
A network that draws noise reads it in ONNX: there Tern runs the file.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TYPES = {"F32": np.float32, "I32": np.int32}


def read_tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(
            data, TYPES[entry["dtype"]], offset=8 + size + entry["data_offsets"][0],
            count=int(np.prod(entry["shape"], dtype=np.int64))).reshape(entry["shape"])
        for name, entry in header.items()
    }


def write_tensors(path, tensors):
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    header, body = {}, b""
    for name, value in tensors.items():
        data = np.ascontiguousarray(value).tobytes()
        header[name] = {
            "dtype": names[value.dtype], "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def moved(weights, random):
    """Weights that nothing leaves at 0 or 1; variances stay positive."""
    result = {}
    for name, value in sorted(weights.items()):
        fan_in = max(1, int(np.prod(value.shape[1:])))
        scale = 0.3 / np.sqrt(fan_in) if value.ndim > 1 else 0.05
        value = value + scale * random.standard_normal(value.shape)
        if name.endswith("running_var"):
            value = np.abs(value) + 0.5
        result[name] = value.astype(np.float32)
    return result


def samples(info, count, vocabulary, random):
    shape = [extent.dim_value or count for extent in info.type.tensor_type.shape.dim]
    if info.type.tensor_type.elem_type == onnx.TensorProto.INT64:
        return random.integers(0, vocabulary, shape).astype(np.int32)
    if info.name == "mask":
        lengths = random.integers(1, shape[1] + 1, shape[0])
        return (np.arange(shape[1]) < lengths[:, None]).astype(np.float32)
    return random.standard_normal(shape).astype(np.float32)


def row(tern, name, device, folder):
    """The network's row of the table."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    path = lambda suffix: os.path.join(folder, name + suffix)

    def run(*arguments):
        done = subprocess.run([tern, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{name}: tern {' '.join(arguments)}: {done.stderr}")

    run("export", name, "--out", path(".start.safetensors"))
    weights = read_tensors(path(".start.safetensors"))
    given = []
    if weights:
        write_tensors(path(".safetensors"), moved(weights, random))
        given = ["--weights", path(".safetensors")]
    run("export", name, *given, "--out", path(".onnx"))

    model = onnx.load(path(".onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 17, model.opset_import
    inputs, outputs = list(model.graph.input), [o.name for o in model.graph.output]
    for value in inputs + list(model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch", value
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path(".onnx"), options, ["CPUExecutionProvider"])
    tables = [t.dims[0] for t in model.graph.initializer for n in model.graph.node
              if n.op_type == "Gather" and n.input[0] == t.name]
    worst, largest, itself = 0.0, 0.0, True
    for count in (3, 1):
        data = {info.name: samples(info, count, min(tables, default=1), random) for info in inputs}
        write_tensors(path(".in"), data)
        itself = inputs[0].name != "latent"
        network = [name, *given] if itself else [path(".onnx")]
        run("run", *network, "--input", path(".in"), "--output", path(".out"), "--device", device)
        expected = read_tensors(path(".out"))
        feeds = {k: v.astype(np.int64) if v.dtype == np.int32 else v for k, v in data.items()}
        for output, got in zip(outputs, session.run(outputs, feeds)):
            wanted = expected[output]
            assert got.shape == wanted.shape, (name, output, got.shape, wanted.shape)
            difference = np.abs(got - wanted).max()
            worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
            largest = max(largest, float(np.abs(wanted).max()))
    for file in os.listdir(folder):
        os.remove(os.path.join(folder, file))
    return {
        "name": name, "nodes": len(model.graph.node), "inputs": [i.name for i in inputs],
        "outputs": outputs, "difference": worst, "largest": largest, "itself": itself,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", help="names, joined by commas")
    arguments = parser.parse_args()
    known = json.loads(subprocess.run(
        [arguments.tern, "models", "--json"], capture_output=True, text=True, check=True).stdout)
    names = arguments.only.split(",") if arguments.only else [m["name"] for m in known["models"]]
    rows, failed = [], []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows.append(row(arguments.tern, name, arguments.device, folder))
            except (SystemExit, Exception) as error:
                failed.append(f"{name}: {str(error).strip()}")
                print(failed[-1], flush=True)
                continue
        print(f"{name}: {rows[-1]['difference']:.1e} of {rows[-1]['largest']:.1e}", flush=True)
    failed += [f"{r['name']}: {r['difference']:.1e}" for r in rows if not r["difference"] <= 1e-4]
    if not arguments.only:
        write_table(rows, failed, arguments.device)
    for line in failed:
        print("FAILED " + line)
    sys.exit(1 if failed else 0)


def write_table(rows, failed, device):
    lines = [
        "# The networks as ONNX files, beside onnxruntime", "",
        f"Written by `Tests/onnx_zoo.py`: Tern on `{device}`, onnxruntime {onnxruntime.__version__} on the CPU,",
        f"onnx {onnx.__version__}. Weights are the initial ones, moved by random numbers; three samples, and one.",
        "The difference is the largest of any element, and has to be at most 1e-4.", "",
        "| network | operators | inputs | outputs | largest number | largest difference |",
        "|---|---:|---|---|---:|---:|",
    ]
    for r in rows:
        note = "" if r["itself"] else " (the file, run by both)"
        lines.append(
            f"| {r['name']}{note} | {r['nodes']} | {', '.join(r['inputs'])} | {', '.join(r['outputs'])} | "
            f"{r['largest']:.2g} | {r['difference']:.1e} |")
    if failed:
        lines += ["", "Failed:", ""] + [f"- {line}" for line in failed]
    path = os.path.join(ROOT, "Benchmarks/results/onnx.md")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
