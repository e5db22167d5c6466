#!/usr/bin/env python3
"""Writes FormatCases: small networks in other programs' formats, and what they compute, and HDF5 files.

    pip install onnx onnxruntime h5py torch
    python3 Tests/format_cases.py

The ONNX folders have the form of onnx's backend tests; their outputs are onnxruntime's. The files of weights
are written as torch.save writes them, by Python's own pickle: what stands for PyTorch's functions are names
alone. One checkpoint is PyTorch's own.
"""

import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "FormatCases")


# MARK: ONNX


def write_onnx(name, nodes, inputs, outputs, initializers, opset, seed):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(seed)
    types_ = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(n, types_[v.dtype], ["N"] + list(v.shape[1:]))
         for n, v in inputs(generator).items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N"] + shape) for n, shape in outputs.items()],
        [numpy_helper.from_array(v, n) for n, v in initializers(generator).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    values = inputs(generator)
    results = session.run(list(outputs), values)
    data = os.path.join(FOLDER, "onnx", name, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(model, os.path.join(FOLDER, "onnx", name, "model.onnx"))
    for kind, arrays in [("input", values.values()), ("output", results)]:
        for index, array in enumerate(arrays):
            with open(os.path.join(data, f"{kind}_{index}.pb"), "wb") as file:
                file.write(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def write_networks():
    from onnx import helper

    node = helper.make_node

    def normal(generator, *shape):
        return generator.standard_normal(shape).astype(np.float32)

    # A convolutional network as PyTorch writes one, the shape of its flattening computed.
    write_onnx(
        "cnn",
        [
            node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["b"]),
            node("Relu", ["b"], ["c"]),
            node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Shape", ["d"], ["s"]),
            node("Gather", ["s", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["n1"]),
            node("Concat", ["n1", "rest"], ["target"], axis=0),
            node("Reshape", ["d", "target"], ["e"]),
            node("Gemm", ["e", "fc.weight", "fc.bias"], ["logits"], name="fc", transB=1),
            node("Softmax", ["logits"], ["y"], axis=-1),
        ],
        lambda g: {"x": normal(g, 2, 1, 6, 6)}, {"y": [3]},
        lambda g: {
            "conv.weight": normal(g, 4, 1, 3, 3), "conv.bias": normal(g, 4),
            "bn.weight": normal(g, 4), "bn.bias": normal(g, 4), "bn.running_mean": normal(g, 4),
            "bn.running_var": np.abs(normal(g, 4)) + 0.5, "fc.weight": normal(g, 3, 36) / 6,
            "fc.bias": normal(g, 3), "zero": np.array(0, np.int64), "axes": np.array([0], np.int64),
            "rest": np.array([-1], np.int64),
        }, 17, 1)
    # Words, an LSTM in both directions, the mean of its steps.
    write_onnx(
        "lstm",
        [
            node("Gather", ["embedding.weight", "words"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[1, 0, 2]),
            node("LSTM", ["b", "W", "R", "B"], ["c", "h", "s"], hidden_size=3, direction="bidirectional"),
            node("Transpose", ["c"], ["d"], perm=[2, 0, 1, 3]),
            node("ReduceMean", ["d"], ["e"], axes=[1], keepdims=0),
            node("Flatten", ["e"], ["f"]),
            node("MatMul", ["f", "out"], ["g"]),
            node("Add", ["g", "bias"], ["y"]),
        ],
        lambda g: {"words": g.integers(0, 7, (2, 5)).astype(np.int64)}, {"y": [2]},
        lambda g: {
            "embedding.weight": normal(g, 7, 4), "W": normal(g, 2, 12, 4), "R": normal(g, 2, 12, 3),
            "B": normal(g, 2, 24), "out": normal(g, 6, 2), "bias": normal(g, 2),
        }, 17, 2)
    # A layer of attention, and of a perceptron with GELU as it was written before there was an operator.
    write_onnx(
        "attention",
        [
            node("LayerNormalization", ["x", "ln.weight", "ln.bias"], ["a"]),
            node("MatMul", ["a", "qkv"], ["b"]),
            node("Split", ["b"], ["q", "k", "v"], axis=2),
            node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
            node("MatMul", ["q", "kt"], ["s0"]),
            node("Mul", ["s0", "scale"], ["s1"]),
            node("Softmax", ["s1"], ["s2"], axis=-1),
            node("MatMul", ["s2", "v"], ["o"]),
            node("Add", ["x", "o"], ["r"]),
            node("Div", ["r", "root"], ["g0"]),
            node("Erf", ["g0"], ["g1"]),
            node("Add", ["g1", "one"], ["g2"]),
            node("Mul", ["r", "g2"], ["g3"]),
            node("Mul", ["g3", "half"], ["y"]),
        ],
        lambda g: {"x": normal(g, 2, 5, 4)}, {"y": [5, 4]},
        lambda g: {
            "ln.weight": normal(g, 4), "ln.bias": normal(g, 4), "qkv": normal(g, 4, 12),
            "scale": np.array(0.5, np.float32), "root": np.array(2**0.5, np.float32),
            "one": np.array(1, np.float32), "half": np.array(0.5, np.float32),
        }, 17, 3)


# MARK: PyTorch


def stand_in(module, name, result=None):
    """Something that pickles as a name of a module."""
    for part in [module[: module.index(".")] if "." in module else module, module]:
        sys.modules.setdefault(part, types.ModuleType(part))

    def function(*arguments):
        return None

    value = function if result is None else type(name, (), {})
    value.__module__, value.__name__, value.__qualname__ = module, name, name
    setattr(sys.modules[module], name, value)
    return value


class Storage:
    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values


class Tensor:
    def __init__(self, storage, offset, shape, strides, is_parameter=False):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides
        self.is_parameter = is_parameter

    def __reduce__(self):
        # As torch.Tensor.__reduce_ex__ has it.
        return REBUILD, (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict())


class Pickler(pickle._Pickler):
    def __init__(self, file, is_legacy):
        super().__init__(file, 2)
        self.is_legacy = is_legacy

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        entry = ("storage", value.kind, value.key, "cpu", len(value.values))
        return entry + (None,) if self.is_legacy else entry


def write_weights():
    global REBUILD
    REBUILD = stand_in("torch._utils", "_rebuild_tensor_v2")
    kinds = {n: stand_in("torch", n, result=True) for n in ["FloatStorage", "HalfStorage", "LongStorage"]}
    shared = Storage(kinds["FloatStorage"], "0", np.arange(8, dtype="<f4") / 4)
    half = Storage(kinds["HalfStorage"], "1", np.array([1, -2.5, 1 / 3], "<f2"))
    count = Storage(kinds["LongStorage"], "2", np.array([7], "<i8"))
    weights = collections.OrderedDict(
        [
            ("module.fc.weight", Tensor(shared, 0, (2, 3), (3, 1))),
            # Transposed, and a part: strides and an offset in the same storage.
            ("module.fc.turned", Tensor(shared, 2, (3, 2), (1, 3))),
            ("module.fc.bias", Tensor(half, 0, (3,), (1,))),
            ("module.bn.num_batches_tracked", Tensor(count, 0, (), ())),
        ])
    checkpoint = {"epoch": 3, "state_dict": weights, "best": 0.5, "seed": 1 << 70}
    storages = [shared, half, count]

    body = io.BytesIO()
    Pickler(body, False).dump(checkpoint)
    with zipfile.ZipFile(os.path.join(FOLDER, "weights.pt"), "w", zipfile.ZIP_STORED) as archive:
        def member(name, data):
            archive.writestr(zipfile.ZipInfo("weights/" + name, (1980, 1, 1, 0, 0, 0)), data)

        member("data.pkl", body.getvalue())
        member("byteorder", b"little")
        for storage in storages:
            member("data/" + storage.key, storage.values.tobytes())
        member("version", b"3\n")

    with open(os.path.join(FOLDER, "weights-legacy.pth"), "wb") as file:
        for value in [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "type_sizes": {"int": 4}}]:
            pickle.dump(value, file, 2)
        Pickler(file, True).dump(checkpoint)
        pickle.dump([s.key for s in storages], file, 2)
        for storage in storages:
            file.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())


def write_checkpoint():
    """What training programs put beside weights, as PyTorch writes it."""
    import argparse

    import torch

    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4
    teacher = {
        "fc.weight": weight, "fc.low": torch.tensor([1, -2.5]).bfloat16(),
        "fc.eight": torch.ones(2).to(torch.float8_e4m3fn), "fc.pair": torch.ones(1, dtype=torch.complex64),
    }
    torch.save({
        "epoch": torch.tensor(3), "teacher": teacher, "args": argparse.Namespace(lr=0.1),
        "scheduler": {"milestones": collections.Counter([3, 5])}, "best": np.float64(0.5), "seen": {1, 2},
        "history": collections.defaultdict(list, {"loss": [1.0]}),
        "optimizer": {"state": {0: {"exp_avg": weight, "step": torch.tensor(1.0)}}},
    }, os.path.join(FOLDER, "checkpoint.pt"))


# MARK: HDF5


def write_arrays():
    """Four samples: element i of `data` is i / 4, and labels are 0, 1, 0, 1."""
    import h5py

    folder = os.path.join(FOLDER, "hdf5")
    os.makedirs(folder, exist_ok=True)
    data = (np.arange(24) / 4).reshape(4, 1, 2, 3)
    label = np.arange(4) % 2

    def write(name, version, arrays):
        with h5py.File(os.path.join(folder, name), "w", libver=(version, "v110")) as file:
            for key, (value, how) in arrays.items():
                file.create_dataset(key, data=value, track_times=False, **how)

    write("earliest.h5", "earliest", {"data": (data.astype("f4"), {}), "label": (label.astype("f4"), {})})
    # What libhdf5 of 1.10 reads.
    write("latest.h5", "v110", {
        "data": ((data * 4).astype("u1").reshape(4, 2, 3), {}), "label": (label.astype("u1"), {})})
    packed = {"chunks": (3, 1, 2, 3), "compression": "gzip", "shuffle": True, "fletcher32": True}
    for name, version in [("chunked.h5", "earliest"), ("packed.h5", "v110")]:
        write(name, version, {
            "data": (data, packed), "label": (label.astype(">i8"), {"chunks": (3,), "maxshape": (None,)}),
            "numbers": (np.stack([label * 0.5, -label], 1).astype("f2"), {}), "truth": (label == 1, {}),
        })
    # Pictures of three colours: blue is 1, green 2, red 4, as Caffe has them.
    colours = np.array([1, 2, 4]).reshape(1, 3, 1, 1) * np.ones((4, 3, 2, 2))
    write("colours.h5", "v110", {"data": (colours.astype("f4"), {}), "label": (label.astype("f4"), {})})
    with h5py.File(os.path.join(folder, "odd.h5"), "w") as file:
        file.create_dataset("label", data=label, track_times=False)
        file.create_dataset("words", data=["a", "b", "c", "d"], track_times=False)
        file.create_dataset("nothing", shape=(1 << 40, 4), dtype="f4", chunks=(1, 4), track_times=False)
        file.create_dataset("outside", shape=(4, 3), dtype="f4", external=[("other.bin", 0, 48)], track_times=False)
        file.create_dataset("hole", data=np.full((4, 2), np.nan, "f4"), track_times=False)
        file.create_dataset("empty", shape=(0, 2), dtype="f4", track_times=False)
        file.create_dataset("fraction", data=label + 0.5, track_times=False)
        file["link"] = h5py.SoftLink("/label")
        file["elsewhere"] = h5py.ExternalLink("earliest.h5", "/data")
        file.create_group("group")


if __name__ == "__main__":
    write_arrays()
    write_networks()
    write_weights()
    write_checkpoint()
