#!/usr/bin/env python3
"""Holds linear models trained by `tern` against scikit-learn: least squares, ridge, lasso, elastic net.

    python3 -m venv .build/sklearn && .build/sklearn/bin/pip install scikit-learn
    .build/sklearn/bin/python Tests/linear_models.py

The data is scikit-learn's diabetes set (442 patients, 10 features), features and target standardised. Tern
minimises the mean squared error with l1·|w| and l2/2·w² added, scikit-learn the same times other factors: see
`penalties`. Prints a line for each model, and fails where a weight differs by more than the model's bound.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy
from sklearn import datasets, linear_model

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def penalties(name, alpha, ratio, count):
    """Tern's (l1, l2) for a model of scikit-learn's."""
    return {
        "least squares": (0, 0),
        "ridge": (0, 2 * alpha / count),
        "lasso": (2 * alpha, 0),
        "elastic net": (2 * alpha * ratio, 2 * alpha * (1 - ratio)),
    }[name]


def weights(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])["fc.weight"]
    start, end = entry["data_offsets"]
    return numpy.frombuffer(data[8 + size + start:8 + size + end], "<f4")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    x, y = datasets.load_diabetes(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    y = (y - y.mean()) / y.std()
    models = [
        ("least squares", linear_model.LinearRegression(), 0, 0, 1e-5),
        ("ridge", linear_model.Ridge(alpha=50, tol=1e-10), 50, 0, 1e-5),
        ("lasso", linear_model.Lasso(alpha=0.05, tol=1e-10), 0.05, 0, 5e-4),
        ("elastic net", linear_model.ElasticNet(alpha=0.1, l1_ratio=0.5, tol=1e-10), 0.1, 0.5, 5e-4),
    ]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        table = os.path.join(folder, "diabetes.csv")
        names = [f"x{i}" for i in range(x.shape[1])] + ["y"]
        numpy.savetxt(table, numpy.column_stack([x, y]), delimiter=",", header=",".join(names), comments="")
        for name, model, alpha, ratio, bound in models:
            expected = model.fit(x, y).coef_
            l1, l2 = penalties(name, alpha, ratio, len(x))
            run = os.path.join(folder, name.replace(" ", "-"))
            subprocess.run(
                [options.tern, "train", "linear", "--task", "regression", "--data", f"csv:{table}", "--target", "y",
                 "--test-split", "0", "--normalize", "none", "--batch-size", str(len(x)), "--epochs", "4000",
                 "--lr", "0.1", "--momentum", "0.9", "--schedule", "cosine", "--l1", str(l1), "--l2", str(l2),
                 "--log-every", "100000", "--device", options.device, "--out", run, "-q"],
                check=True, stdout=subprocess.DEVNULL)
            found = weights(os.path.join(run, "checkpoints/last/weights.safetensors"))
            error = numpy.abs(found - expected).max()
            zeros = int((numpy.abs(found) < bound).sum()), int((expected == 0).sum())
            print(f"{name:14s} largest difference {error:.1e} (bound {bound:.0e}), weights at 0: {zeros[0]}, "
                  f"scikit-learn's {zeros[1]}")
            failed |= not error <= bound
    sys.exit(failed)


if __name__ == "__main__":
    main()
