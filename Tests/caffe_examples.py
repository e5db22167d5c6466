#!/usr/bin/env python3
"""Reads the example nets and solvers of BVLC's repository, and counts their parameters.

    git clone https://github.com/BVLC/caffe
    swift build -c release --product tern
    Tests/caffe_examples.py caffe

Each net has to have its published number of parameters, each solver has to be read up to the data, which is not
there. Left out is the one net that needs a layer of Python (examples/pycaffe). Exits with 1 where one does not.
"""

import argparse
import glob
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The extents of a sample, where the net's data says them, and the number of parameters.
NETS = {
    "examples/cifar10/cifar10_full.prototxt": ("", 89_578),
    "examples/cifar10/cifar10_full_sigmoid_train_test.prototxt": ("3,32,32", 89_578),
    "examples/cifar10/cifar10_full_sigmoid_train_test_bn.prototxt": ("3,32,32", 89_450),
    "examples/cifar10/cifar10_full_train_test.prototxt": ("3,32,32", 89_578),
    "examples/cifar10/cifar10_quick.prototxt": ("", 145_578),
    "examples/cifar10/cifar10_quick_train_test.prototxt": ("3,32,32", 145_578),
    "examples/feature_extraction/imagenet_val.prototxt": ("", 60_965_224),
    "examples/finetune_pascal_detection/pascal_finetune_trainval_test.prototxt": ("", 56_954_261),
    "examples/hdf5_classification/nonlinear_auto_test.prototxt": ("4", 282),
    "examples/hdf5_classification/nonlinear_auto_train.prototxt": ("4", 282),
    "examples/hdf5_classification/nonlinear_train_val.prototxt": ("4", 282),
    "examples/hdf5_classification/train_val.prototxt": ("4", 10),
    "examples/mnist/lenet.prototxt": ("", 431_080),
    "examples/mnist/lenet_consolidated_solver.prototxt": ("1,28,28", 431_080),
    "examples/mnist/lenet_train_test.prototxt": ("1,28,28", 431_080),
    "examples/mnist/mnist_autoencoder.prototxt": ("1,28,28", 2_837_314),
    "examples/net_surgery/bvlc_caffenet_full_conv.prototxt": ("", 60_965_224),
    "examples/net_surgery/conv.prototxt": ("", 78),
    "examples/siamese/mnist_siamese.prototxt": ("", 431_102),
    "examples/siamese/mnist_siamese_train_test.prototxt": ("2,28,28", 431_102),
    "models/bvlc_alexnet/deploy.prototxt": ("", 60_965_224),
    "models/bvlc_alexnet/train_val.prototxt": ("", 60_965_224),
    "models/bvlc_googlenet/deploy.prototxt": ("", 6_998_552),
    "models/bvlc_googlenet/train_val.prototxt": ("", 13_378_280),
    "models/bvlc_reference_caffenet/deploy.prototxt": ("", 60_965_224),
    "models/bvlc_reference_caffenet/train_val.prototxt": ("", 60_965_224),
    "models/bvlc_reference_rcnn_ilsvrc13/deploy.prototxt": ("", 57_687_624),
    "models/finetune_flickr_style/deploy.prototxt": ("", 56_950_164),
    "models/finetune_flickr_style/train_val.prototxt": ("", 56_950_164),
}
LEFT_OUT = {"examples/pycaffe/linreg.prototxt"}
# Its nets are written by a notebook.
WITHOUT_NET = {"examples/mnist/lenet_auto_solver.prototxt"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("caffe", help="a checkout of BVLC's repository")
    parser.add_argument("--tern", default=str(ROOT / ".build/release/tern"))
    options = parser.parse_args()
    tern = os.path.abspath(options.tern)
    os.chdir(options.caffe)

    def run(*arguments):
        return subprocess.run([tern, *arguments], capture_output=True, text=True)

    failures = 0

    def tell(is_right, name, text):
        nonlocal failures
        failures += not is_right
        print("ok    " if is_right else "FAILED", name, text, flush=True)

    found = {path for folder in ("examples", "models") for path in glob.glob(f"{folder}/*/*.prototxt")}
    solvers = {path for path in found if "solver" in path}
    for name in sorted(found - solvers - LEFT_OUT - set(NETS)):
        tell(False, name, "is in no table")
    for name, (shape, count) in NETS.items():
        result = run("summary", name, "--device", "cpu", "--json", *(["--input", shape] if shape else []))
        got = json.loads(result.stdout)["parameters"] if result.returncode == 0 else result.stderr.strip()
        tell(got == count, name, f"{got}" + ("" if got == count else f", expected {count}"))
    for name in sorted(solvers):
        result = run("train", "--solver", name, "--data", "idx:/nowhere", "--dry-run", "--device", "cpu")
        missing = "lenet_auto_train.prototxt: no such file" if name in WITHOUT_NET else "/nowhere: no such folder"
        tell(result.returncode == 66 and missing in result.stderr, name, "is read")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
