#!/usr/bin/env python3
"""Draws conformance cases of every operation at random and asks PyTorch, in float64, for what must come out.

  python3 Tests/pytorch_cases.py DIR [--count 400] [--seed 0] [--op NAME]
  tern verify --cases DIR --device opencl

Each case is one safetensors file as in Tests/Cases: shapes, attributes and values are drawn anew for every
seed, so that a device meets what nobody wrote down. Needs torch and safetensors.
"""
import argparse
import json
import math
import pathlib
import random
import warnings

import torch
import torch.nn.functional as F
from safetensors.torch import save_file


class Draw:
    """Random choices for one case."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(self.random.getrandbits(60))

    def int(self, low, high):
        return self.random.randint(low, high)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability=0.5):
        return self.random.random() < probability

    def shape(self, low=1, high=4, size=9):
        return [self.int(1, size) for _ in range(self.int(low, high))]

    def size(self, typical=40):
        """Mostly small numbers, at times those at which kernels change: powers of two and their neighbours."""
        if self.chance(0.3):
            return max(1, self.pick(8, 16, 32, 64) + self.int(-1, 1))
        return self.int(1, typical)

    def normal(self, *shape):
        """Numbers rounded to float32, kept in float64."""
        return torch.randn(shape, generator=self.generator).double()

    def away(self, *shape, kinks=(0.0,), margin=0.02):
        """Numbers that are not near a kink."""
        values = self.normal(*shape)
        for kink in kinks:
            near = (values - kink).abs() < margin
            values = torch.where(near, kink + 3 * margin, values)
        return values.float().double()

    def distinct(self, *shape):
        """Numbers of which no two are near each other."""
        count = math.prod(shape)
        order = torch.randperm(count, generator=self.generator).double()
        return ((order - count / 2) * (4 / max(count, 1))).reshape(shape).float().double()

    def positive(self, *shape, low=0.1):
        return (torch.rand(shape, generator=self.generator) * 2 + low).double()

    def unit(self, *shape):
        return (torch.rand(shape, generator=self.generator) * 0.96 + 0.02).double()

    def labels(self, classes, *shape):
        return torch.randint(0, classes, shape, generator=self.generator)

    def signs(self, *shape):
        return (self.labels(2, *shape) * 2 - 1).double()

    def probabilities(self, *shape):
        return torch.softmax(self.normal(*shape), -1).float().double()


CASES = {}


def case(*names, weight=1):
    """Registers a drawer of one or more operations: (draw, op) → attributes, inputs, function[, terms].

    `inputs` are differentiated where they are floats and not in `constant`. `function` takes them by name and
    gives one tensor or a dictionary. `terms` is how many products the longest sum has.
    """

    def register(function):
        for name in names:
            CASES[name] = (function, weight)
        return function

    return register


def pair(draw, value):
    """An attribute as PyTorch allows it: a number where all are equal, or a list."""
    return value[0] if len(set(value)) == 1 and draw.chance() else list(value)


# Convolution and pooling


def convolution(draw, dimensions):
    groups = draw.pick(1, 1, 1, 2, 3)
    depthwise = draw.chance(0.15)
    if depthwise:
        groups = draw.size(24)
        channels, outputs = groups, groups * draw.pick(1, 1, 2)
    else:
        channels, outputs = groups * draw.size(), groups * draw.size()
        if groups > 1:
            channels, outputs = groups * draw.int(1, 12), groups * draw.int(1, 12)
    kernel = [draw.pick(1, 1, 2, 3, 3, 3, 4, 5, 7) for _ in range(dimensions)]
    if draw.chance(0.7):
        kernel = kernel[:1] * dimensions
    stride = [draw.pick(1, 1, 1, 2, 2, 3) for _ in range(dimensions)]
    if draw.chance(0.7):
        stride = stride[:1] * dimensions
    dilation = [draw.pick(1, 1, 1, 1, 2, 3) for _ in range(dimensions)]
    if draw.chance(0.7):
        dilation = dilation[:1] * dimensions
    return groups, channels, outputs, kernel, stride, dilation


@case("conv1d", "conv2d", weight=12)
def conv(draw, op):
    dimensions = 1 if op == "conv1d" else 2
    groups, channels, outputs, kernel, stride, dilation = convolution(draw, dimensions)
    padding = [draw.int(0, (k - 1) * d) for k, d in zip(kernel, dilation)]
    if draw.chance(0.5):
        padding = [(k - 1) * d // 2 for k, d in zip(kernel, dilation)]
    sizes = [
        max(1, (k - 1) * d + 1 - 2 * p) + draw.int(0, 18)
        for k, d, p in zip(kernel, dilation, padding)
    ]
    if dimensions == 2 and draw.chance(0.1):
        # As networks have them: there are algorithms for these alone.
        groups, channels, outputs = 1, draw.pick(16, 32, 64, 128), draw.pick(16, 64, 128)
        kernel, stride, dilation = [draw.pick(1, 3)] * 2, [draw.pick(1, 1, 2)] * 2, [1, 1]
        padding, sizes = [kernel[0] // 2] * 2, [draw.int(12, 30), draw.int(12, 30)]
    inputs = {
        "input": draw.normal(draw.pick(1, 1, 2, 3, 5), channels, *sizes),
        "weight": draw.normal(outputs, channels // groups, *kernel),
    }
    if draw.chance(0.7):
        inputs["bias"] = draw.normal(outputs)
    attributes = {
        "stride": pair(draw, stride),
        "padding": pair(draw, padding),
        "dilation": pair(draw, dilation),
        "groups": groups,
    }
    if stride == [1] * dimensions and draw.chance(0.1):
        attributes["padding"] = "same"
    function = F.conv1d if dimensions == 1 else F.conv2d
    terms = channels // groups * math.prod(kernel) + inputs["input"].numel() // channels
    return attributes, inputs, lambda **t: function(**t, **attributes), terms


@case("conv_transpose2d", weight=5)
def conv_transpose(draw, op):
    groups, channels, outputs, kernel, stride, dilation = convolution(draw, 2)
    padding = [draw.int(0, (k - 1) * d // 2) for k, d in zip(kernel, dilation)]
    output_padding = [draw.int(0, max(s, d) - 1) for s, d in zip(stride, dilation)]
    sizes = [draw.int(1, 12) for _ in kernel]
    for axis in range(2):
        while (sizes[axis] - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (
            kernel[axis] - 1
        ) + output_padding[axis] + 1 < 1:
            sizes[axis] += 1
    inputs = {
        "input": draw.normal(draw.pick(1, 2, 3), channels, *sizes),
        "weight": draw.normal(channels, outputs // groups, *kernel),
    }
    if draw.chance(0.7):
        inputs["bias"] = draw.normal(outputs)
    attributes = {
        "stride": pair(draw, stride),
        "padding": pair(draw, padding),
        "output_padding": pair(draw, output_padding),
        "dilation": pair(draw, dilation),
        "groups": groups,
    }
    terms = channels * math.prod(kernel) + outputs * math.prod(kernel)
    return attributes, inputs, lambda **t: F.conv_transpose2d(**t, **attributes), terms


def windows(draw, dilated):
    kernel = [draw.int(1, 4), draw.int(1, 4)]
    if draw.chance(0.6):
        kernel = kernel[:1] * 2
    stride = [draw.int(1, 3), draw.int(1, 3)]
    if draw.chance(0.6):
        stride = stride[:1] * 2
    dilation = [draw.pick(1, 1, 2), draw.pick(1, 1, 2)] if dilated else [1, 1]
    padding = [draw.int(0, k // 2) for k in kernel]
    # PyTorch writes out of bounds where a window holds nothing but padding.
    sizes = [(k - 1) * d + 1 + draw.int(0, 14) for k, d in zip(kernel, dilation)]
    attributes = {"kernel_size": pair(draw, kernel), "padding": pair(draw, padding)}
    if draw.chance(0.85):
        attributes["stride"] = pair(draw, stride)
    if draw.chance(0.4):
        attributes["ceil_mode"] = draw.chance()
    if dilated:
        attributes["dilation"] = pair(draw, dilation)
    return attributes, sizes


@case("max_pool2d", weight=4)
def max_pool(draw, op):
    attributes, sizes = windows(draw, dilated=True)
    inputs = {"input": draw.distinct(draw.int(1, 3), draw.size(20), *sizes)}
    return attributes, inputs, lambda input: F.max_pool2d(input, **attributes)


@case("avg_pool2d", weight=4)
def avg_pool(draw, op):
    attributes, sizes = windows(draw, dilated=False)
    if draw.chance():
        attributes["count_include_pad"] = draw.chance()
    inputs = {"input": draw.normal(draw.int(1, 3), draw.size(20), *sizes)}
    return attributes, inputs, lambda input: F.avg_pool2d(input, **attributes)


@case("adaptive_avg_pool2d", weight=2)
def adaptive_pool(draw, op):
    attributes = {"output_size": pair(draw, [draw.int(1, 7), draw.int(1, 7)])}
    inputs = {"input": draw.normal(draw.int(1, 3), draw.size(20), draw.int(1, 16), draw.int(1, 16))}
    return attributes, inputs, lambda input: F.adaptive_avg_pool2d(input, attributes["output_size"])


@case("max_unpool2d", weight=2)
def unpool(draw, op):
    kernel = draw.int(2, 3)
    sizes = [draw.int(kernel, 11), draw.int(kernel, 11)]
    source = draw.distinct(draw.int(1, 3), draw.int(1, 9), *sizes)
    pooled, indices = F.max_pool2d(source, kernel, return_indices=True)
    attributes = {
        "kernel_size": [kernel, kernel],
        "stride": [kernel, kernel],
        "padding": [0, 0],
        "output_size": list(source.shape),
    }

    def function(input, indices):
        return F.max_unpool2d(input, indices, kernel, output_size=source.shape)

    return attributes, {"input": draw.normal(*pooled.shape), "indices": indices}, function


@case("pad", weight=4)
def pad(draw, op):
    shape = [draw.int(1, 3), draw.int(1, 6), draw.int(2, 9), draw.int(2, 9)]
    mode = draw.pick("constant", "reflect", "replicate", "circular")
    limits = {"reflect": -1, "circular": 0}
    widths = []
    for axis in (3, 3, 2, 2):
        widths.append(draw.int(0, min(4, shape[axis] + limits[mode]) if mode in limits else 4))
    attributes = {"pad": widths, "mode": mode}
    if mode == "constant" and draw.chance():
        attributes["value"] = draw.pick(0.0, 1.5, -2.0)
    return attributes, {"input": draw.normal(*shape)}, lambda input: F.pad(input, **attributes)


@case("interpolate", weight=4)
def interpolate(draw, op):
    shape = [draw.int(1, 3), draw.int(1, 9), draw.int(1, 9), draw.int(1, 9)]
    mode = draw.pick("nearest", "bilinear", "bilinear")
    attributes = {"mode": mode}
    if draw.chance(0.7):
        attributes["size"] = [draw.int(1, 17), draw.int(1, 17)]
    else:
        attributes["scale_factor"] = draw.pick(2, 2.0, 3, 1)
    if mode == "bilinear":
        attributes["align_corners"] = draw.chance()
    return attributes, {"input": draw.normal(*shape)}, lambda input: F.interpolate(input, **attributes)


# Normalisation


@case("batch_norm", weight=4)
def batch_norm(draw, op):
    shape = [draw.int(2, 6), draw.size(20)] + draw.pick([], [draw.int(1, 8), draw.int(1, 8)])
    channels = shape[1]
    training = draw.chance(0.7)
    attributes = {
        "training": training,
        "momentum": draw.pick(0.1, 0.03, 1.0),
        "eps": draw.pick(1e-5, 1e-3),
    }
    inputs = {
        "input": draw.normal(*shape) * 2 + 1,
        "running_mean": draw.normal(channels),
        "running_var": draw.positive(channels),
    }
    if draw.chance(0.85):
        inputs |= {"weight": draw.normal(channels), "bias": draw.normal(channels)}
    inputs = {name: value.float().double() for name, value in inputs.items()}

    def function(input, running_mean, running_var, weight=None, bias=None):
        mean, variance = running_mean.clone(), running_var.clone()
        output = F.batch_norm(input, mean, variance, weight, bias, **attributes)
        return {"output": output, "running_mean": mean, "running_var": variance}

    return attributes, inputs, function, math.prod(shape) // channels, {"running_mean", "running_var"}


@case("layer_norm", weight=3)
def layer_norm(draw, op):
    shape = draw.shape(2, 4)
    normalized = shape[-draw.int(1, len(shape) - 1) :]
    if math.prod(normalized) < 2:
        shape[-1] = normalized[-1] = 7
    attributes = {"normalized_shape": normalized, "eps": draw.pick(1e-5, 1e-3)}
    inputs = {"input": draw.normal(*shape)}
    if draw.chance(0.8):
        inputs |= {"weight": draw.normal(*normalized), "bias": draw.normal(*normalized)}

    def function(input, weight=None, bias=None):
        return F.layer_norm(input, normalized, weight, bias, attributes["eps"])

    return attributes, inputs, function, 60


@case("group_norm", weight=3)
def group_norm(draw, op):
    groups = draw.int(1, 4)
    shape = [draw.int(1, 3), groups * draw.int(2, 6)] + draw.pick([5], [4, 7], [3, 3])
    attributes = {"num_groups": groups, "eps": 1e-5}
    inputs = {"input": draw.normal(*shape)}
    if draw.chance(0.8):
        inputs |= {"weight": draw.normal(shape[1]), "bias": draw.normal(shape[1])}

    def function(input, weight=None, bias=None):
        return F.group_norm(input, groups, weight, bias, attributes["eps"])

    return attributes, inputs, function, 100


@case("local_response_norm", weight=2)
def local_response_norm(draw, op):
    attributes = {
        "size": draw.pick(1, 3, 5, 7),
        "alpha": draw.pick(1e-4, 0.1),
        "beta": draw.pick(0.75, 0.5),
        "k": draw.pick(1.0, 2.0),
    }
    inputs = {"input": draw.normal(draw.int(1, 3), draw.int(1, 20), draw.int(1, 6), draw.int(1, 6))}
    return attributes, inputs, lambda input: F.local_response_norm(input, **attributes)


# Elementwise


@case("relu", "gelu", "silu", "sigmoid", "tanh", "exp", "abs", "neg", "square")
def unary(draw, op):
    attributes = {"approximate": draw.pick("none", "tanh")} if op == "gelu" else {}
    inputs = {"input": draw.away(*draw.shape(0, 4))}
    functions = {"relu": F.relu, "silu": F.silu, "gelu": lambda x: F.gelu(x, **attributes)}
    return attributes, inputs, lambda input: functions.get(op, getattr(torch, op, None))(input)


@case("log", "sqrt", "rsqrt", "reciprocal")
def positive(draw, op):
    return {}, {"input": draw.positive(*draw.shape(0, 4))}, lambda input: getattr(torch, op)(input)


@case("leaky_relu", "elu", "softplus", "hardtanh", "clamp", "pow", weight=2)
def unary_with_attributes(draw, op):
    shape = draw.shape(0, 4)
    attributes = {
        "leaky_relu": {"negative_slope": draw.pick(0.01, 0.2)},
        "elu": {"alpha": draw.pick(1.0, 0.5)},
        "softplus": {"beta": draw.pick(1.0, 2.0), "threshold": 20.0},
        "hardtanh": {"min_val": -0.8, "max_val": draw.pick(0.8, 1.2)},
        "clamp": draw.pick({"min": -0.5}, {"max": 0.7}, {"min": -0.5, "max": 0.7}),
        "pow": {"exponent": draw.pick(2, 3, 0.5, 1.7, -1)},
    }[op]
    if op == "pow":
        inputs = {"input": draw.positive(*shape)}
    else:
        inputs = {"input": draw.away(*shape, kinks=(0.0, -0.8, 0.8, 1.2, -0.5, 0.7))}
    if op == "pow":
        return attributes, inputs, lambda input: input ** attributes["exponent"]
    function = torch.clamp if op == "clamp" else getattr(F, op)
    return attributes, inputs, lambda input: function(input, **attributes)


@case("prelu", weight=2)
def prelu(draw, op):
    shape = draw.pick([4, 6], [2, 5, 3, 3], [3, 9, 4])
    count = draw.pick(1, shape[1])
    return {}, {"input": draw.away(*shape), "weight": draw.normal(count)}, F.prelu, 60


@case("add", "sub", "mul", "div", "maximum", "minimum", weight=2)
def binary(draw, op):
    shape = draw.shape(1, 5, 6)
    sides = []
    for _ in range(2):
        side = [1 if draw.chance(0.25) else size for size in shape]
        sides.append(side[draw.int(0, len(side) - 1) :] if draw.chance(0.4) else side)
    values = draw.distinct(math.prod(sides[0]) + math.prod(sides[1])).reshape(-1)
    split = math.prod(sides[0])
    inputs = {"input": values[:split].reshape(sides[0]), "other": values[split:].reshape(sides[1])}
    if op == "div":
        inputs["other"] = draw.positive(*sides[1], low=0.5)
    return {}, inputs, lambda input, other: getattr(torch, op)(input, other), 100


# Shapes and reductions


@case("sum", "mean", "amax", weight=3)
def reduction(draw, op):
    shape = draw.shape(1, 5, 8)
    dims = sorted(draw.random.sample(range(len(shape)), draw.int(1, len(shape))))
    dims = [d - len(shape) if draw.chance(0.3) else d for d in dims]
    attributes = {"dim": dims, "keepdim": draw.chance()}
    inputs = {"input": draw.distinct(*shape) if op == "amax" else draw.normal(*shape)}
    return attributes, inputs, lambda input: getattr(torch, op)(input, **attributes), math.prod(shape)


@case("softmax", "log_softmax", weight=3)
def softmax(draw, op):
    shape = draw.shape(1, 4)
    dim = draw.int(-len(shape), len(shape) - 1)
    inputs = {"input": (draw.normal(*shape) * draw.pick(1, 1, 20)).float().double()}
    return {"dim": dim}, inputs, lambda input: getattr(F, op)(input, dim=dim), 50


@case("reshape", weight=2)
def reshape(draw, op):
    shape = draw.shape(1, 4)
    target = draw.random.sample(shape, len(shape))
    if len(target) > 1 and draw.chance():
        target = [target[0] * target[1]] + target[2:]
    if draw.chance():
        target[draw.int(0, len(target) - 1)] = -1
    return {"shape": target}, {"input": draw.normal(*shape)}, lambda input: input.reshape(target)


@case("transpose", weight=2)
def transpose(draw, op):
    shape = draw.shape(2, 5)
    first, second = draw.random.sample(range(len(shape)), 2)
    attributes = {"dim0": first - (len(shape) if draw.chance(0.3) else 0), "dim1": second}
    return attributes, {"input": draw.normal(*shape)}, lambda input: input.transpose(first, second)


@case("permute", weight=2)
def permute(draw, op):
    shape = draw.shape(1, 6, 6)
    dims = draw.random.sample(range(len(shape)), len(shape))
    return {"dims": dims}, {"input": draw.normal(*shape)}, lambda input: input.permute(dims)


@case("cat", weight=2)
def cat(draw, op):
    shape = draw.shape(1, 5, 7)
    dim = draw.int(-len(shape), len(shape) - 1)
    inputs = {}
    for index in range(draw.int(1, 5)):
        size = list(shape)
        size[dim] = draw.int(1, 9)
        inputs[f"tensors.{index}"] = draw.normal(*size)
    return {"dim": dim}, inputs, lambda **t: torch.cat(list(t.values()), dim)


@case("narrow", weight=2)
def narrow(draw, op):
    shape = draw.shape(1, 5)
    dim = draw.int(-len(shape), len(shape) - 1)
    start = draw.int(0, shape[dim] - 1)
    attributes = {"dim": dim, "start": start, "length": draw.int(1, shape[dim] - start)}
    return attributes, {"input": draw.normal(*shape)}, lambda input: input.narrow(**attributes)


@case("embedding", weight=2)
def embedding(draw, op):
    count = draw.int(1, 30)
    inputs = {"input": draw.labels(count, *draw.shape(1, 3)), "weight": draw.normal(count, draw.size())}
    return {}, inputs, lambda input, weight: F.embedding(input, weight), 100


# Products


@case("matmul", weight=5)
def matmul(draw, op):
    m, k, n = draw.size(), draw.size(), draw.size()
    left, right = draw.pick(
        ([m, k], [k, n]),
        ([m, k], [k, n]),
        ([3, m, k], [3, k, n]),
        ([2, 3, m, k], [2, 3, k, n]),
        ([2, 3, m, k], [k, n]),
        ([4, m, k], [1, k, n]),
        ([m, k], [5, k, n]),
        ([2, 1, m, k], [1, 3, k, n]),
        ([k], [k, n]),
        ([m, k], [k]),
        ([k], [k]),
    )
    inputs = {"input": draw.normal(*left), "other": draw.normal(*right)}
    return {}, inputs, lambda input, other: input @ other, 10 * max(m, k, n)


@case("linear", weight=5)
def linear(draw, op):
    inner, outer = draw.size(70), draw.size(70)
    rows = draw.pick([draw.size()], [draw.size()], [2, draw.size()], [2, 3, 4], [])
    inputs = {"input": draw.normal(*rows, inner), "weight": draw.normal(outer, inner)}
    if draw.chance(0.7):
        inputs["bias"] = draw.normal(outer)
    return {}, inputs, lambda **t: F.linear(**t), 4 * max(inner, outer, 50)


@case("scaled_dot_product_attention", weight=5)
def attention(draw, op):
    batch = draw.pick([2], [1, 3], [2, 4])
    queries, width = draw.size(), draw.pick(4, 8, 16, 24, 33, 64)
    is_causal = draw.chance(0.4)
    keys = queries if is_causal or draw.chance() else draw.size()
    values = width if draw.chance(0.7) else draw.pick(4, 12, 20)
    inputs = {
        "query": draw.normal(*batch, queries, width),
        "key": draw.normal(*batch, keys, width),
        "value": draw.normal(*batch, keys, values),
    }
    attributes = {"is_causal": is_causal}
    if draw.chance(0.3):
        attributes["scale"] = 0.3
    if not is_causal and draw.chance(0.3):
        mask = draw.normal(*draw.pick([queries, keys], [1, keys], [*batch, queries, keys]))
        inputs["attn_mask"] = mask.masked_fill(mask > 1, -math.inf) if keys > 4 else mask
        inputs["attn_mask"].view(-1, keys)[:, 0] = 0
    return attributes, inputs, lambda **t: F.scaled_dot_product_attention(**t, **attributes), 200


# Losses


def reduced(draw, *others):
    return {"reduction": draw.pick("mean", "sum", "none", *others)}


def apply_reduction(values, attributes):
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[attributes["reduction"]](values)


@case("cross_entropy", "nll_loss", weight=6)
def class_loss(draw, op):
    classes = draw.size(12) + 1
    shape = draw.pick([draw.int(1, 9)], [draw.int(1, 9)], [2, 4, 3])
    attributes = reduced(draw)
    logits = draw.normal(shape[0], classes, *shape[1:])
    if op == "nll_loss":
        logits = F.log_softmax(logits, 1).float().double()
    target = draw.labels(classes, *shape)
    inputs = {"input": logits, "target": target}
    if draw.chance(0.4):
        inputs["weight"] = draw.positive(classes)
    if draw.chance(0.3):
        attributes["ignore_index"] = draw.pick(-100, 1)
        if math.prod(shape) > 1:
            target.view(-1)[0] = attributes["ignore_index"]
            target.view(-1)[1] = 0
    if op == "cross_entropy" and draw.chance(0.4):
        attributes["label_smoothing"] = draw.pick(0.1, 0.3)
    function = getattr(F, op)
    return attributes, inputs, lambda **t: function(**t, **attributes), 30, {"weight"}


@case("mse_loss", "l1_loss", "huber_loss", weight=2)
def regression_loss(draw, op):
    shape = draw.shape(1, 4)
    attributes = reduced(draw)
    if op == "huber_loss":
        attributes["delta"] = draw.pick(1.0, 0.5)
    target = draw.normal(*shape)
    difference = draw.away(*shape, kinks=(0.0, 0.5, 1.0, -0.5, -1.0))
    inputs = {"input": (target + difference).float().double(), "target": target}
    return attributes, inputs, lambda **t: getattr(F, op)(**t, **attributes), 50, {"target"}


@case("binary_cross_entropy", "binary_cross_entropy_with_logits", weight=2)
def binary_loss(draw, op):
    shape = draw.shape(1, 4)
    attributes = reduced(draw)
    given = draw.unit(*shape) if op == "binary_cross_entropy" else draw.normal(*shape)
    inputs = {"input": given, "target": draw.pick(draw.unit(*shape), draw.labels(2, *shape).double())}
    if draw.chance(0.3):
        inputs["weight"] = draw.positive(*shape)
    if op == "binary_cross_entropy_with_logits" and draw.chance(0.3):
        inputs["pos_weight"] = draw.positive(shape[-1])
    constant = {"target", "weight", "pos_weight"}
    return attributes, inputs, lambda **t: getattr(F, op)(**t, **attributes), 50, constant


@case("kl_div", weight=2)
def kl_div(draw, op):
    shape = [draw.int(1, 6), draw.int(2, 9)]
    attributes = reduced(draw, "batchmean")
    inputs = {
        "input": torch.log(draw.probabilities(*shape)).float().double(),
        "target": draw.probabilities(*shape),
    }
    if draw.chance(0.3):
        attributes["log_target"] = True
        inputs["target"] = torch.log(inputs["target"]).float().double()
    return attributes, inputs, lambda **t: F.kl_div(**t, **attributes), 50, {"target"}


@case("hinge_loss", "squared_hinge_loss", "soft_margin_loss", weight=2)
def margin_loss(draw, op):
    shape = draw.shape(1, 2)
    attributes = reduced(draw)
    inputs = {"input": draw.away(*shape, kinks=(1.0, -1.0)), "target": draw.signs(*shape)}

    def function(input, target):
        margin = torch.clamp(1 - input * target, min=0)
        values = {
            "hinge_loss": margin,
            "squared_hinge_loss": margin**2 / 2,
            "soft_margin_loss": torch.log1p(torch.exp(-input * target)),
        }[op]
        return apply_reduction(values, attributes)

    return attributes, inputs, function, 50, {"target"}


@case("gaussian_nll_loss", weight=2)
def gaussian_nll_loss(draw, op):
    shape = draw.shape(1, 3)
    attributes = reduced(draw) | {"full": draw.chance(), "eps": 1e-6}
    inputs = {"input": draw.normal(*shape), "target": draw.normal(*shape), "var": draw.positive(*shape)}
    return attributes, inputs, lambda **t: F.gaussian_nll_loss(**t, **attributes), 50, {"target"}


@case("contrastive_loss", weight=2)
def contrastive_loss(draw, op):
    count, width = draw.int(1, 9), draw.int(1, 12)
    attributes = {"margin": draw.pick(1.0, 2.5, 5.0)}
    inputs = {
        "input1": draw.normal(count, width),
        "input2": draw.normal(count, width),
        "target": draw.labels(2, count).double(),
    }

    def function(input1, input2, target):
        distance = (input1 - input2).norm(dim=1)
        far = torch.clamp(attributes["margin"] - distance, min=0) ** 2
        return (target * distance**2 + (1 - target) * far).sum() / (2 * count)

    return attributes, inputs, function, 50, {"target"}


# Sequences


@case("rnn_tanh", "lstm", "gru", weight=4)
def recurrent(draw, op):
    steps, batch, width, hidden = draw.int(1, 7), draw.int(1, 6), draw.size(20), draw.size(20)
    gates = {"rnn_tanh": 1, "gru": 3, "lstm": 4}[op]
    bias = draw.chance(0.8)
    inputs = {"input": draw.normal(steps, batch, width)}
    if draw.chance(0.8):
        inputs["h0"] = draw.normal(batch, hidden)
        if op == "lstm":
            inputs["c0"] = draw.normal(batch, hidden)
    inputs["weight_ih_l0"] = (draw.normal(gates * hidden, width) / math.sqrt(width)).float().double()
    inputs["weight_hh_l0"] = (draw.normal(gates * hidden, hidden) / math.sqrt(hidden)).float().double()
    if bias:
        inputs["bias_ih_l0"] = draw.normal(gates * hidden)
        inputs["bias_hh_l0"] = draw.normal(gates * hidden)

    def function(input, weight_ih_l0, weight_hh_l0, bias_ih_l0=None, bias_hh_l0=None, h0=None, c0=None):
        zeros = torch.zeros(1, batch, hidden, dtype=torch.float64)
        state = zeros if h0 is None else h0[None]
        weights = [weight_ih_l0, weight_hh_l0] + ([bias_ih_l0, bias_hh_l0] if bias else [])
        if op == "lstm":
            state = (state, zeros if c0 is None else c0[None])
        run = {"rnn_tanh": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}[op]
        output, *last = run(input, state, weights, bias, 1, 0.0, False, False, False)
        names = ["hn", "cn"]
        return {"output": output} | {name: value[0] for name, value in zip(names, last)}

    return {}, inputs, function, 40 * max(width, hidden)


@case("lstm_peephole", weight=3)
def lstm_peephole(draw, op):
    steps, batch, width, hidden = draw.int(1, 6), draw.int(1, 5), draw.size(12), draw.size(12)
    inputs = {"input": draw.normal(steps, batch, width)}
    if draw.chance(0.8):
        inputs |= {"h0": draw.normal(batch, hidden), "c0": draw.normal(batch, hidden)}
    has_bias = draw.chance(0.8)
    for gate in "ifoc":
        inputs["W_" + gate] = (draw.normal(hidden, width) / math.sqrt(width)).float().double()
        inputs["U_" + gate] = (draw.normal(hidden, hidden) / math.sqrt(hidden)).float().double()
        if has_bias:
            inputs["b_" + gate] = draw.normal(hidden)
        if gate != "c":
            inputs["V_" + gate] = draw.normal(hidden)

    def function(input, h0=None, c0=None, **weights):
        zeros = torch.zeros(batch, hidden, dtype=torch.float64)
        h, c = (zeros if h0 is None else h0), (zeros if c0 is None else c0)
        outputs = []
        for x in input:

            def sums(gate):
                values = x @ weights["W_" + gate].T + h @ weights["U_" + gate].T
                return values + weights["b_" + gate] if has_bias else values

            i, f, o = (torch.sigmoid(sums(gate) + weights["V_" + gate] * c) for gate in "ifo")
            c = f * c + i * torch.tanh(sums("c"))
            h = o * torch.tanh(c)
            outputs.append(h)
        return {"output": torch.stack(outputs), "hn": h, "cn": c}

    return {}, inputs, function, 40 * max(width, hidden)


# Optimizers


@case(
    "optimizer.sgd",
    "optimizer.adagrad",
    "optimizer.rmsprop",
    "optimizer.adadelta",
    "optimizer.adam",
    "optimizer.adamw",
    weight=2,
)
def optimizer(draw, op):
    name = op.split(".")[1]
    attributes = {"lr": draw.pick(0.01, 0.1)}
    if draw.chance():
        attributes["weight_decay"] = draw.pick(0.01, 0.1)
    if name == "sgd" and draw.chance(0.7):
        attributes["momentum"] = draw.pick(0.5, 0.9)
        attributes["nesterov"] = draw.chance()
    if name == "rmsprop":
        attributes |= {
            "alpha": draw.pick(0.9, 0.99),
            "momentum": draw.pick(0.0, 0.5),
            "centered": draw.chance(),
        }
    if name == "adadelta":
        attributes["rho"] = draw.pick(0.9, 0.95)
    if name in ("adam", "adamw"):
        attributes["betas"] = draw.pick([0.9, 0.999], [0.8, 0.95])
    if draw.chance() and name != "sgd":
        attributes["eps"] = draw.pick(1e-6, 1e-4)
    kind = {
        "sgd": torch.optim.SGD,
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
        "adadelta": torch.optim.Adadelta,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }[name]
    shape = draw.shape(1, 3, 12)
    steps = draw.int(1, 6)
    inputs = {"parameter": draw.normal(*shape)}
    inputs |= {f"gradient.{index}": draw.away(*shape) for index in range(steps)}

    def function(**tensors):
        parameter = tensors["parameter"].detach().clone().requires_grad_()
        steppable = kind([parameter], **{k: tuple(v) if k == "betas" else v for k, v in attributes.items()})
        outputs = {}
        for index in range(steps):
            parameter.grad = tensors[f"gradient.{index}"].clone()
            steppable.step()
            outputs[f"parameter.{index}"] = parameter.detach().clone()
        return outputs

    return attributes, inputs, function, 1, set(inputs)


@case("optimizer.momentum_ema", "optimizer.normalized_gradient", weight=2)
def optimizer_of_the_notes(draw, op):
    shape, steps = draw.shape(1, 3, 12), draw.int(1, 6)
    attributes = {"lr": draw.pick(0.01, 0.1)}
    if op.endswith("ema"):
        attributes["rho"] = draw.pick(0.5, 0.9)
    else:
        attributes["eps"] = draw.pick(1e-8, 1e-3)
    inputs = {"parameter": draw.normal(*shape)}
    inputs |= {f"gradient.{index}": draw.away(*shape) for index in range(steps)}

    def function(**tensors):
        parameter, mean = tensors["parameter"], torch.zeros(shape, dtype=torch.float64)
        outputs = {}
        for index in range(steps):
            gradient = tensors[f"gradient.{index}"]
            if op.endswith("ema"):
                mean = attributes["rho"] * mean + (1 - attributes["rho"]) * gradient
                change = mean
            else:
                change = gradient / torch.sqrt(gradient**2 + attributes["eps"])
            parameter = parameter - attributes["lr"] * change
            outputs[f"parameter.{index}"] = parameter
        return outputs

    return attributes, inputs, function, 1, set(inputs)


def write(path, op, seed):
    draw = Draw(seed)
    drawer, _ = CASES[op]
    attributes, inputs, function, *rest = drawer(draw, op)
    terms = rest[0] if rest else 1
    constant = rest[1] if len(rest) > 1 else set()
    leaves = {
        name: value.clone().requires_grad_(value.is_floating_point() and name not in constant)
        for name, value in inputs.items()
    }
    outputs = function(**leaves)
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    tensors = {f"input.{name}": value for name, value in inputs.items()}
    tensors |= {f"output.{name}": value for name, value in outputs.items()}
    differentiable = {name: value for name, value in outputs.items() if value.requires_grad}
    if differentiable:
        cotangents = {name: draw.normal(*value.shape) for name, value in differentiable.items()}
        asked = [name for name, value in leaves.items() if value.requires_grad]
        gradients = torch.autograd.grad(
            list(differentiable.values()),
            [leaves[name] for name in asked],
            [cotangents[name] for name in differentiable],
        )
        tensors |= {f"cotangent.{name}": value for name, value in cotangents.items()}
        tensors |= {f"gradient.{name}": value for name, value in zip(asked, gradients)}
        assert all(value.isfinite().all() for value in gradients), (path, attributes)
    tensors = {
        name: (value.detach().float() if value.is_floating_point() else value.int()).contiguous().clone()
        for name, value in tensors.items()
    }
    metadata = {
        "op": op,
        "attributes": json.dumps(attributes),
        "rtol": "1e-4",
        "atol": str(1e-5 * max(1.0, math.sqrt(terms) / 4)),
    }
    save_file(tensors, path, metadata=metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--op", choices=sorted(CASES))
    options = parser.parse_args()
    # PyTorch warns of what kl_div's mean means.
    warnings.simplefilter("ignore")
    options.directory.mkdir(parents=True, exist_ok=True)
    names = [options.op] if options.op else sorted(CASES)
    weights = [CASES[name][1] for name in names]
    chooser = random.Random(options.seed)
    for index in range(options.count):
        op = chooser.choices(names, weights)[0]
        write(options.directory / f"{op}-{options.seed}-{index:04}.safetensors", op, f"{options.seed}/{index}")


if __name__ == "__main__":
    main()
