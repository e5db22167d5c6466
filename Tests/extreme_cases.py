#!/usr/bin/env python3
"""Asks PyTorch, in float64, what operations make of the most extreme numbers that float32 has.

  python3 Tests/extreme_cases.py [DIR]        (default: Tests/ExtremeCases)

Each case is one safetensors file as in Tests/Cases, but for two things: its expected values may be NaN and
infinite, and then exactly that must come out. `rtol` and `atol` are the error bounds of `BOUNDS` below, the
one place that states them. Needs torch, numpy and safetensors.
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

warnings.filterwarnings("ignore")

# The smallest normal number of float32: below it a device may count a number as 0.
TINY = 1.1754944e-38
# (relative, absolute) error bounds of each kind of function, against float64 rounded to float32.
BOUNDS = {
    # One or two roundings.
    "arithmetic": (1e-6, TINY),
    # Exponentials, logarithms and powers: correct to some units in the last place of their argument.
    "transcendental": (2e-5, TINY),
    # What saturates: next to a limit of 0, ±1 or x the distance from it is known absolutely.
    "saturating": (1e-5, 1e-6),
    # Sums of such terms.
    "loss": (2e-5, 2e-6),
    "normalization": (1e-4, 1e-5),
    "optimizer": (1e-5, 1e-6),
}

MAGNITUDES = [
    0.0, 1e-45, 1e-40, TINY, 1.2e-38, 1e-30, 1e-20, 1e-10, 1e-7, 1e-4, 0.01, 0.1, 0.5, 0.75, 1.0, 1.5, 2.0,
    3.0, 4.0, 5.0, 5.5, 6.0, 8.0, 9.0, 9.5, 10.0, 13.0, 15.0, 17.0, 19.9, 20.1, 30.0, 40.0, 60.0, 87.0, 88.0,
    88.7, 89.0, 100.0, 103.0, 104.0, 120.0, 500.0, 1e4, 1e7, 1e10, 1e15, 1.8e19, 2e19, 1e20, 1e30, 1.7e38,
    3e38, 3.4028235e38, float("inf"), float("nan"),
]
EVERYTHING = torch.tensor([s * m for m in MAGNITUDES for s in (1, -1)], dtype=torch.float32)
# For pairs.
SOME = torch.tensor(
    [s * m for m in [0.0, 1e-38, 1e-20, 1e-4, 0.5, 1.0, 20.0, 89.0, 1e4, 1e20, 3e38, float("inf")] for s in (1, -1)]
    + [float("nan")], dtype=torch.float32)


def single(x):
    """To float32, and back to float64."""
    return x.double().float().double()


class Writer:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        for old in self.directory.glob("*.safetensors"):
            old.unlink()

    def write(self, name, op, attributes, kind, inputs, outputs, cotangents=None, gradients=None):
        tensors = {}
        for prefix, values in [("input", inputs), ("output", outputs), ("cotangent", cotangents or {}),
                               ("gradient", gradients or {})]:
            for key, value in values.items():
                value = value.detach()
                value = value.to(torch.int32) if not value.is_floating_point() else value.float()
                tensors[f"{prefix}.{key}"] = value.contiguous().clone()
        rtol, atol = BOUNDS[kind]
        save_file(tensors, self.directory / f"{name}.safetensors", metadata={
            "op": op, "attributes": json.dumps(attributes), "rtol": str(rtol), "atol": str(atol)})

    def case(self, name, op, attributes, kind, inputs, function, differentiated=(), output="output", cotangent=None,
             only=None):
        """Runs `function` of the inputs in float64. `only`: the elements whose gradients are held."""
        leaves = {k: (v.double().requires_grad_(k in differentiated) if v.is_floating_point() else v)
                  for k, v in inputs.items()}
        y = function(**leaves)
        cotangents, gradients = {}, {}
        if differentiated:
            g = torch.full_like(y, 1.0) if cotangent is None else cotangent.double()
            y.backward(g)
            cotangents[output] = g
            gradients = {k: leaves[k].grad for k in differentiated}
        self.write(name, op, attributes, kind, inputs, {output: y}, cotangents, gradients)


def activations(w):
    x = {"input": EVERYTHING}
    table = [
        ("relu", {}, "arithmetic", F.relu),
        ("leaky_relu", {"negative_slope": 0.01}, "arithmetic", lambda v: F.leaky_relu(v, 0.01)),
        ("elu", {}, "saturating", F.elu),
        ("elu", {"alpha": 1.5}, "saturating", lambda v: F.elu(v, 1.5)),
        ("gelu", {}, "saturating", F.gelu),
        ("gelu", {"approximate": "tanh"}, "saturating", lambda v: F.gelu(v, approximate="tanh")),
        ("silu", {}, "saturating", F.silu),
        ("sigmoid", {}, "saturating", torch.sigmoid),
        ("tanh", {}, "saturating", torch.tanh),
        ("softplus", {}, "saturating", F.softplus),
        ("softplus", {"beta": 4.0, "threshold": 10.0}, "saturating", lambda v: F.softplus(v, 4, 10)),
        ("softplus", {"beta": 0.25, "threshold": 100.0}, "saturating", lambda v: F.softplus(v, 0.25, 100)),
        ("hardtanh", {}, "arithmetic", F.hardtanh),
        ("hardtanh", {"min_val": 0.0, "max_val": 6.0}, "arithmetic", F.relu6),
        ("exp", {}, "transcendental", torch.exp),
        ("log", {}, "transcendental", torch.log),
        ("sqrt", {}, "arithmetic", torch.sqrt),
        ("rsqrt", {}, "arithmetic", torch.rsqrt),
        ("reciprocal", {}, "arithmetic", torch.reciprocal),
        ("abs", {}, "arithmetic", torch.abs),
        ("neg", {}, "arithmetic", torch.neg),
        ("square", {}, "arithmetic", torch.square),
        ("clamp", {"min": -1.0, "max": 2.0}, "arithmetic", lambda v: v.clamp(-1, 2)),
        ("clamp", {"min": 0.0}, "arithmetic", lambda v: v.clamp(min=0)),
    ]
    table += [("pow", {"exponent": e}, "transcendental", lambda v, e=e: v ** e)
              for e in (0.0, 1.0, 2.0, 3.0, -1.0, -2.0)]
    # Of −0 and −∞ a fractional power is one thing by square roots and another by the C library.
    fractional = EVERYTHING[~((EVERYTHING == 0) & EVERYTHING.signbit()) & (EVERYTHING != -float("inf"))]
    table += [("pow", {"exponent": e}, "transcendental", lambda v, e=e: v ** e)
              for e in (0.5, -0.75, 1.7, 0.3, -5.5)]
    seen = {}
    for op, attributes, kind, f in table:
        if attributes.get("exponent", 1.0) % 1 != 0:
            number = seen.get("pow", -1) + 1
            seen["pow"] = number
            w.case(f"pow-{number}", op, attributes, kind, {"input": fractional}, lambda input, f=f: f(input), ["input"])
            continue
        seen[op] = seen.get(op, -1) + 1
        # A gradient of other size arrives at every second element.
        g = torch.ones_like(EVERYTHING)
        g[1::4] = -2.5
        w.case(f"{op}-{seen[op]}", op, attributes, kind, x, lambda input, f=f: f(input), ["input"], cotangent=g)
    # In the middle of a pass that keeps only 7 elements, vectors have a rest.
    part = {"input": EVERYTHING[-7:]}
    for op, f in [("gelu", lambda v: F.gelu(v, approximate="tanh")), ("relu", F.relu), ("tanh", torch.tanh)]:
        attributes = {"approximate": "tanh"} if op == "gelu" else {}
        w.case(f"{op}-rest", op, attributes, "saturating", part, lambda input, f=f: f(input), ["input"])
    w.case("prelu-0", "prelu", {}, "arithmetic",
           {"input": EVERYTHING[torch.isfinite(EVERYTHING) & (EVERYTHING != 0)], "weight": torch.tensor([0.25])},
           lambda input, weight: F.prelu(input, weight), ["input"])


def pairs():
    a, b = torch.meshgrid(SOME, SOME, indexing="ij")
    return a.reshape(-1).contiguous(), b.reshape(-1).contiguous()


def binaries(w):
    a, b = pairs()
    for op, f in [("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div),
                  ("maximum", torch.maximum), ("minimum", torch.minimum)]:
        w.case(f"{op}-0", op, {}, "arithmetic", {"input": a, "other": b}, lambda input, other, f=f: f(input, other))


def reductions(w):
    inf, nan = float("inf"), float("nan")
    rows = torch.tensor([
        [0.0] * 9, [1e38] + [0.0] * 8, [3e38, -3e38, 1, 2, 3, 4, 5, 6, 7], [inf, 1, 2, 3, 4, 5, 6, 7, 8],
        [-inf, 1, 2, 3, 4, 5, 6, 7, 8], [-inf] * 9, [nan, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, nan],
        [1, nan, inf, 4, 5, 6, 7, 8, 9], [1e-38] * 9, [1000.0, 0, -1000, 88, -88, 104, -104, 3, 4],
        [3e38, 3e38, 0, 0, 0, 0, 0, 0, -3e38], [-3e38, -2e38, -3e38, -3e38, -1e38, -3e38, -3e38, -3e38, -3e38],
    ])
    long = torch.cat([rows, rows.flip(1), rows, rows.flip(1)], 1)
    for suffix, x in [("0", rows), ("long", long), ("columns", rows.T.contiguous())]:
        dim = 0 if suffix == "columns" else 1
        w.case(f"softmax-{suffix}", "softmax", {"dim": dim}, "saturating", {"input": x},
               lambda input: torch.softmax(input, dim))
        w.case(f"log_softmax-{suffix}", "log_softmax", {"dim": dim}, "transcendental", {"input": x},
               lambda input: torch.log_softmax(input, dim))
        w.case(f"amax-{suffix}", "amax", {"dim": [dim]}, "arithmetic", {"input": x}, lambda input: input.amax(dim))
    image = torch.cat([rows, rows.flip(1)])[None, None, :, :].contiguous()
    big = torch.cat([image] * 4, 3)
    big = torch.cat([big] * 3, 1)
    for suffix, x, kernel, stride, padding in [("0", image, 2, 2, 0), ("overlap", image, 3, 1, 1), ("wide", big, 2, 2, 0),
                                               ("wide-overlap", big, 3, 2, 1)]:
        w.case(f"max_pool2d-{suffix}", "max_pool2d", {"kernel_size": kernel, "stride": stride, "padding": padding},
               "arithmetic", {"input": x},
               lambda input, k=kernel, s=stride, p=padding: F.max_pool2d(input, k, s, p), ["input"])


def losses(w):
    x = EVERYTHING[torch.isfinite(EVERYTHING)]
    signs = torch.where(torch.arange(len(x)) % 3 == 0, 1.0, -1.0)
    units = torch.tensor([0.0, 1.0, 0.5])[torch.arange(len(x)) % 3]
    none = {"reduction": "none"}

    def loss(name, op, attributes, inputs, f, kind="loss", differentiated=("input",)):
        w.case(name, op, {**attributes, **none}, kind, inputs, f, list(differentiated))

    for number, t in enumerate([torch.zeros_like(x), x.flip(0)]):
        pair = {"input": x, "target": t}
        loss(f"mse_loss-{number}", "mse_loss", {}, pair, lambda input, target: F.mse_loss(input, target, reduction="none"))
        loss(f"l1_loss-{number}", "l1_loss", {}, pair, lambda input, target: F.l1_loss(input, target, reduction="none"))
        loss(f"huber_loss-{number}", "huber_loss", {"delta": 1.5}, pair,
             lambda input, target: F.huber_loss(input, target, reduction="none", delta=1.5))
    nan = torch.tensor([float("nan"), 1.0, float("nan")])
    for op, f in [("mse_loss", F.mse_loss), ("l1_loss", F.l1_loss), ("huber_loss", F.huber_loss)]:
        loss(f"{op}-nan", op, {}, {"input": nan, "target": nan.flip(0)},
             lambda input, target, f=f: f(input, target, reduction="none"), differentiated=())
    p = torch.tensor([0.0, 1e-45, 1e-38, 1e-20, 1e-7, 0.1, 0.5, 0.9, 0.9999999, 1.0])
    for number, t in enumerate([0.0, 0.3, 1.0]):
        loss(f"binary_cross_entropy-{number}", "binary_cross_entropy", {}, {"input": p, "target": torch.full_like(p, t)},
             lambda input, target: F.binary_cross_entropy(input, target, reduction="none"), differentiated=())
    loss("binary_cross_entropy_with_logits-0", "binary_cross_entropy_with_logits", {}, {"input": x, "target": units},
         lambda input, target: F.binary_cross_entropy_with_logits(input, target, reduction="none"))
    loss("kl_div-0", "kl_div", {}, {"input": -p.flip(0) * 100, "target": p},
         lambda input, target: F.kl_div(input, target, reduction="none"))
    loss("hinge_loss-0", "hinge_loss", {}, {"input": x, "target": signs},
         lambda input, target: (1 - input * target).clamp(min=0))
    loss("squared_hinge_loss-0", "squared_hinge_loss", {}, {"input": x, "target": signs},
         lambda input, target: 0.5 * (1 - input * target).clamp(min=0) ** 2)
    # PyTorch's own overflows beyond 710 even in float64; log(1 + exp(z)) does not.
    loss("soft_margin_loss-0", "soft_margin_loss", {}, {"input": x[x != 0], "target": signs[x != 0]},
         lambda input, target: (-input * target).clamp(min=0) + torch.log1p(torch.exp(-(input * target).abs())))
    v = torch.tensor([1e-6, 1e-3, 1.0, 1e10, 1e30, 3e38])
    loss("gaussian_nll_loss-0", "gaussian_nll_loss", {},
         {"input": torch.tensor([0.0, 1e3, -1e15, 1e10, 3e18, 1.0]), "target": torch.zeros(6), "var": v},
         lambda input, target, var: F.gaussian_nll_loss(input, target, var, reduction="none"), differentiated=())

    logits = torch.tensor([
        [0.0] * 5, [1e4, 0, 0, 0, -1e4], [-1e4, 1e4, 0, 0, 0], [3e38, -3e38, 0, 1, 2], [1e-38, 0, -1e-38, 0, 0],
        [88, 89, 90, 104, -104], [-88, -89, -90, -104, -104], [1e20, 1e20, 1e20, 1e20, 1e20]])
    target = torch.tensor([0, 0, 0, 0, 4, 4, 3, 2])
    finite = logits.clone()
    w.case("cross_entropy-none", "cross_entropy", {"reduction": "none"}, "loss", {"input": finite, "target": target},
           lambda input, target: F.cross_entropy(input, target, reduction="none"), ["input"])
    w.case("cross_entropy-mean", "cross_entropy", {}, "loss", {"input": finite, "target": target},
           lambda input, target: F.cross_entropy(input, target), ["input"], cotangent=torch.tensor(1.0))
    ignored = torch.tensor([0, -100, 0, -100, 4, -100, 3, -100])
    w.case("cross_entropy-ignored", "cross_entropy", {"label_smoothing": 0.1}, "loss",
           {"input": finite[[0, 0, 5, 1, 4, 2, 6, 3]], "target": ignored, "weight": torch.tensor([1.0, 0, 2, 3, 0.5])},
           lambda input, target, weight: F.cross_entropy(input, target, weight, label_smoothing=0.1), ["input"],
           cotangent=torch.tensor(1.0))
    # Of nothing PyTorch's mean is NaN; here what counts nothing adds nothing.
    for name, t, weight in [("nothing", torch.full((8,), -100), None), ("weightless", torch.full((8,), 1), [1.0, 0, 1, 1, 1])]:
        inputs = {"input": finite, "target": t}
        if weight:
            inputs["weight"] = torch.tensor(weight)
        w.write(f"cross_entropy-{name}", "cross_entropy", {}, "loss", inputs, {"output": torch.zeros(())},
                {"output": torch.ones(())}, {"input": torch.zeros_like(finite)})
    pixels = finite.T.reshape(1, 5, 2, 4).contiguous()
    w.write("cross_entropy-no-pixels", "cross_entropy", {}, "loss",
            {"input": pixels, "target": torch.full((1, 2, 4), -100)}, {"output": torch.zeros(())},
            {"output": torch.ones(())}, {"input": torch.zeros_like(pixels)})


def normalizations(w):
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(6, 24, generator=generator)
    base[0] *= 1e-30
    base[1] *= 1e15
    base[2] = base[2] * 0 + 7
    base[3] += 100
    base[4, 5] = 1e17
    base[5] *= 1e-3
    weight, bias = torch.randn(24, generator=generator), torch.randn(24, generator=generator)
    w.case("layer_norm-0", "layer_norm", {"normalized_shape": [24]}, "normalization",
           {"input": base[[0, 1, 2, 4, 5]], "weight": weight, "bias": bias},
           lambda input, weight, bias: F.layer_norm(input, [24], weight, bias), ["input"])
    broken = base.clone()
    broken[0, 3], broken[1, 0], broken[5, 23] = float("nan"), float("inf"), float("-inf")
    w.case("layer_norm-nan", "layer_norm", {"normalized_shape": [24]}, "normalization", {"input": broken},
           lambda input: F.layer_norm(input, [24]))
    w.case("group_norm-0", "group_norm", {"num_groups": 2}, "normalization",
           {"input": base[[0, 1, 2, 4, 5]].reshape(5, 8, 3)}, lambda input: F.group_norm(input, 2), ["input"])
    channels = base[[0, 1, 2, 4, 5]].T.reshape(24, 5, 1, 1).contiguous()
    w.case("batch_norm-0", "batch_norm", {"training": True}, "normalization", {"input": channels},
           lambda input: F.batch_norm(input, None, None, training=True), ["input"])
    broken = broken.T.reshape(24, 6, 1, 1).contiguous()
    w.case("batch_norm-nan", "batch_norm", {"training": True}, "normalization", {"input": broken},
           lambda input: F.batch_norm(input, None, None, training=True))
    x = EVERYTHING[torch.isfinite(EVERYTHING) & (EVERYTHING.abs() < 1e18)][:84].reshape(1, 84, 1, 1)
    w.case("local_response_norm-0", "local_response_norm", {"size": 5}, "normalization", {"input": x},
           lambda input: F.local_response_norm(input, 5))


def optimizers(w):
    # Squares stay below the largest number up to about 1e19.
    finite = [0.0, 1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e-4, 1.0, 1e4, 1e10, 1e15, 1e18]
    g = torch.tensor([s * m for m in finite for s in (1, -1)])
    parameter = torch.linspace(-2, 2, len(g))
    every = torch.tensor([s * m for m in MAGNITUDES for s in (1, -1)])

    def run(name, op, attributes, make, gradient, steps=3, kind="optimizer"):
        p = torch.linspace(-2, 2, len(gradient)).double().requires_grad_()
        optimizer = make([p])
        inputs = {"parameter": p.detach().clone()}
        outputs = {}
        for step in range(steps):
            p.grad = gradient.double().clone()
            inputs[f"gradient.{step}"] = gradient
            optimizer.step()
            outputs[f"parameter.{step}"] = p.detach().clone()
        w.write(name, f"optimizer.{op}", attributes, kind, inputs, outputs)

    O = torch.optim
    run("optimizer.sgd-0", "sgd", {"lr": 0.1}, lambda p: O.SGD(p, 0.1), every)
    run("optimizer.sgd-1", "sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        lambda p: O.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1), g)
    run("optimizer.adagrad-0", "adagrad", {"lr": 0.1}, lambda p: O.Adagrad(p, 0.1), g)
    run("optimizer.rmsprop-0", "rmsprop", {"lr": 0.1}, lambda p: O.RMSprop(p, 0.1), g)
    run("optimizer.rmsprop-1", "rmsprop", {"lr": 0.1, "momentum": 0.9}, lambda p: O.RMSprop(p, 0.1, momentum=0.9), g)
    run("optimizer.adadelta-0", "adadelta", {"lr": 1.0}, lambda p: O.Adadelta(p, 1.0), g)
    run("optimizer.adam-0", "adam", {"lr": 0.1}, lambda p: O.Adam(p, 0.1), g)
    run("optimizer.adamw-0", "adamw", {"lr": 0.1, "weight_decay": 0.1}, lambda p: O.AdamW(p, 0.1, weight_decay=0.1), g)
    broken = torch.tensor([float("nan"), 1.0, float("inf"), 2.0, float("-inf"), 0.0, 3.0, 1e-3, 5.0])
    for op, make in [("sgd", lambda p: O.SGD(p, 0.1)), ("adagrad", lambda p: O.Adagrad(p, 0.1)),
                     ("rmsprop", lambda p: O.RMSprop(p, 0.1)), ("adadelta", lambda p: O.Adadelta(p, 0.1)),
                     ("adam", lambda p: O.Adam(p, 0.1)), ("adamw", lambda p: O.AdamW(p, 0.1, weight_decay=0.0))]:
        attributes = {"lr": 0.1, **({"weight_decay": 0.0} if op == "adamw" else {})}
        run(f"optimizer.{op}-nan", op, attributes, make, broken, steps=2)
    # Where every gradient is the same, the centred variance is a difference of equal numbers.
    run("optimizer.rmsprop-centered", "rmsprop", {"lr": 1e-6, "centered": True, "alpha": 0.5, "eps": 0.1},
        lambda p: O.RMSprop(p, 1e-6, alpha=0.5, centered=True, eps=0.1), torch.tensor([0.1, 0.3, 0.7, 1.1, 3.3, 5e-3]),
        steps=24)

    p = torch.linspace(-2, 2, len(every)).double()
    inputs, outputs = {"parameter": p.clone()}, {}
    for step in range(2):
        d = every.double()
        p = p - 0.1 * torch.where(d.isinf(), torch.nan, d / (d * d + 1e-8).sqrt())
        inputs[f"gradient.{step}"] = every
        outputs[f"parameter.{step}"] = p.clone()
    w.write("optimizer.normalized_gradient-0", "optimizer.normalized_gradient", {"lr": 0.1, "eps": 1e-8}, "optimizer",
            inputs, outputs)


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "ExtremeCases"
    writer = Writer(directory)
    for part in [activations, binaries, reductions, losses, normalizations, optimizers]:
        part(writer)
    print(len(list(pathlib.Path(directory).glob("*.safetensors"))), "cases")


if __name__ == "__main__":
    main()
