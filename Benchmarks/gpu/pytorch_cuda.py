#!/usr/bin/env python3
"""Training speed of PyTorch on CUDA, in float32 without TF32, as Tern computes. Prints one JSON object.

    python3 pytorch_cuda.py resnet50 32
"""

import json
import statistics
import sys
import time

import torch
from torch import nn


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    ), (1, 28, 28), 10


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        self.skip = nn.Identity() if stride == 1 and channels == 4 * width else nn.Sequential(
            nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


def resnet50():
    blocks, channels = [], 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for block in range(count):
            width = 64 << stage
            blocks.append(Bottleneck(channels, width, 2 if stage > 0 and block == 0 else 1))
            channels = 4 * width
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2048, 1000),
    ), (3, 224, 224), 1000


def measure(name, batch, channels_last, seconds=3.0):
    torch.manual_seed(0)
    model, shape, classes = {"lenet5": lenet5, "resnet50": resnet50}[name]()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.cuda().to(memory_format=layout)
    images = torch.randn(batch, *shape, device="cuda").contiguous(memory_format=layout)
    labels = torch.randint(classes, (batch,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)

    def steps(count):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / count

    steps(10)
    group = max(1, int(0.05 / steps(5)))
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 5:
        times.append(steps(group))
    return batch / statistics.median(times)


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    name, batch = sys.argv[1], int(sys.argv[2])
    print(json.dumps({
        "name": name, "batch_size": batch, "version": torch.__version__,
        "device": torch.cuda.get_device_name(),
        "images_per_second": {
            "contiguous": measure(name, batch, False), "channels_last": measure(name, batch, True),
        },
    }))


if __name__ == "__main__":
    main()
