#!/usr/bin/env python3
"""A switch between network namespaces whose frames take their time, for kernels without netem.

    Tests/delayed_switch.py --rate 1e9 --delay 0.001 tern-host-0 tern-host-1 …

Makes a device `wire` in every namespace. What a host sends leaves at the rate, in bits a second, and arrives the delay
later. The switch says `ready`, then reads lines: `cut 2` and `join 2` take the host of that number off it and back. It
ends with its input. Needs root; it runs before all other processes, so that it keeps to its times.
"""

import argparse
import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
CLONE_NEWNET = 0x40000000
# A frame of the largest size on wires like these; frames of 1500 bytes would be six times as many to move.
MTU = 9000
# A link takes frames so far ahead; what is more waits in the host, as on a real link.
AHEAD = 0.0005


def open_wire(namespace):
    """A file of whose frames the namespace's device `wire` is the other end."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{namespace}") as other:
        if libc.setns(other.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        try:
            wire = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(wire, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TAP | IFF_NO_PI))
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)
    return wire


def run(wires, rate, delay):
    ports = {}
    cut = set()
    free = [0.0] * len(wires)
    under_way = []
    number = 0
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, target, frame = heapq.heappop(under_way)
            if target not in cut:
                try:
                    os.write(wires[target], frame)
                except OSError:
                    pass  # The host takes no more, or is down: the frame is lost.
        readable = [wire for index, wire in enumerate(wires) if free[index] - now < AHEAD]
        times = [at - AHEAD for at in free if at - now >= AHEAD] + [at for at, *_ in under_way[:1]]
        wait = max(0.0, min(times) - now) if times else None
        ready, _, _ = select.select(readable + [sys.stdin], [], [], wait)
        for file in ready:
            if file is sys.stdin:
                words = sys.stdin.readline().split()
                if not words:
                    return
                (cut.add if words[0] == "cut" else cut.discard)(int(words[1]))
                continue
            source = wires.index(file)
            try:
                frame = os.read(file, MTU + 64)
            except OSError:
                continue
            ports[frame[6:12]] = source
            free[source] = max(time.monotonic(), free[source]) + len(frame) * 8 / rate
            if source in cut:
                continue
            known = None if frame[0] & 1 else ports.get(frame[:6])
            targets = [known] if known is not None else [i for i in range(len(wires)) if i != source]
            for target in targets:
                number += 1
                heapq.heappush(under_way, (free[source] + delay, number, target, frame))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=1e9)
    parser.add_argument("--delay", type=float, default=0.001)
    parser.add_argument("namespaces", nargs="+")
    arguments = parser.parse_args()
    wires = [open_wire(namespace) for namespace in arguments.namespaces]
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("ready", flush=True)
    run(wires, arguments.rate, arguments.delay)


if __name__ == "__main__":
    main()
