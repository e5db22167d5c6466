#!/usr/bin/env python3
"""Several processes, killed at random; and four hosts that only share a network, in namespaces of this machine.

    Tests/cluster.py [--tern .build/release/tern] [--kills 50] [--no-network]

Kills: a run of two to four processes loses a random one at a random moment, again and again, and is gone on with by
another number of them. In the end its weights must be those of a run that nobody touched, to the byte.

Hosts: network namespaces with a bridge between them, at 1 Gbit/s and 1 ms by netem; where the kernel has none, with
Tests/delayed_switch.py between them. They train; then one is cut off, and one is killed: everyone has to end, and the
run to go on. Needs root, ip, tc and Open MPI; what this machine has not is said and left out.
"""

import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HOSTS = 4
NETWORK = "10.77.0"
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
WEIGHTS = "checkpoints/last/weights.safetensors"
# A peer that says nothing is given up after 5 + 3 * 2 seconds, not after minutes.
KEEPALIVE = ["--mca", "oob_tcp_keepalive_time", "5", "--mca", "oob_tcp_keepalive_intvl", "2",
             "--mca", "oob_tcp_keepalive_probes", "3"]
failures = []


def check(condition, words):
    print(("ok    " if condition else "FAIL  ") + words, flush=True)
    if not condition:
        failures.append(words)


def write_dataset(folder, counts, size):
    os.makedirs(folder)
    draws = random.Random(1)
    for name, count in counts:
        with open(f"{folder}/{name}-images-idx3-ubyte", "wb") as file:
            file.write(bytes([0, 0, 8, 3]) + struct.pack(">III", count, size, size))
            file.write(draws.randbytes(count * size * size))
        with open(f"{folder}/{name}-labels-idx1-ubyte", "wb") as file:
            file.write(bytes([0, 0, 8, 1]) + struct.pack(">I", count))
            file.write(bytes(i % 10 for i in range(count)))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def are_dead(pids):
    """Whether none of the processes runs any more, whoever has still to take notice."""
    for pid in pids:
        try:
            if read(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[0] != b"Z":
                return False
        except FileNotFoundError:
            pass
    return True


stuck_launchers = 0


def end(process):
    """Waits for a launcher; None where its processes do not end. Open MPI's own may stay where all of them are dead:
    that is counted, and no fault of theirs."""
    global stuck_launchers
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return process.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            pass
        if process.poll() is None and are_dead(children(process.pid)):
            stuck_launchers += 1
            process.kill()
            return process.communicate()
    process.kill()
    process.communicate()
    return None


# Random kills


def local(count, arguments):
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(count)] + arguments


def kills(tern, count, seed):
    draws = random.Random(seed)
    settings = ["lenet5", "--data", "idx:data", "--batch-size", "32", "--shards", "4", "--device", "cpu",
                "--epochs", "24", "--save-every", "3", "-q"]
    whole = subprocess.run([tern, "train", *settings, "--threads", "1", "--out", "whole"], env=ENVIRONMENT)
    check(whole.returncode == 0, "a run that nobody touches")
    done, finished = 0, 0
    slowest = 0.0
    run = ["train", *settings, "--threads", "1", "--out", "parts-0"]
    while done < count:
        ranks = draws.choice([2, 3, 4])
        launcher = subprocess.Popen(
            local(ranks, [tern, *run]), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        folder = f"parts-{finished}"
        time.sleep(0.7 + draws.random() * 1.5)
        victims = [] if launcher.poll() is not None else children(launcher.pid)
        if victims:
            victim = draws.choice(victims)
            start = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            known = stuck_launchers
            output = end(launcher)
            if known == stuck_launchers:
                slowest = max(slowest, time.monotonic() - start)
            if output is None:
                check(False, f"kill {done + 1}: the others did not end within 60 s")
                return
            # The kill may have come behind the last step.
            if launcher.returncode != 0:
                done += 1
                if done % 10 == 0:
                    print(f"      {done} kills, {finished} runs to the end, slowest end {slowest:.1f} s", flush=True)
        else:
            end(launcher)
        if launcher.returncode == 0:
            if read(f"{folder}/{WEIGHTS}") != read(f"whole/{WEIGHTS}"):
                check(False, f"{folder} ends with other weights")
                return
            finished += 1
            run = ["train", *settings, "--threads", "1", "--out", f"parts-{finished}"]
        elif os.path.exists(f"{folder}/{WEIGHTS}"):
            run = ["train", "--resume", folder, "-q"]
        else:
            # Killed before there was anything to go on with.
            shutil.rmtree(folder, ignore_errors=True)
    folder = f"parts-{finished}"
    if run[1] == "--resume":
        last = subprocess.run(local(3, [tern, *run]), env=ENVIRONMENT, capture_output=True)
        check(last.returncode == 0, f"gone on with to the end {last.stderr.decode()[-200:]}")
        check(read(f"{folder}/{WEIGHTS}") == read(f"whole/{WEIGHTS}"), "the same bytes at the end")
        finished += 1
    check(True, f"{done} kills over {finished} runs; all others ended within {slowest:.1f} s of each, where the launcher "
                f"did ({stuck_launchers} times it stayed behind dead processes)")


# Hosts in namespaces


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def host(number):
    return f"tern-host-{number}"


class Network:
    """Hosts and the wires between them."""

    def __init__(self):
        self.switch = None
        self.remove()
        for number in range(HOSTS):
            ip("netns", "add", host(number))
            ip("-n", host(number), "link", "set", "lo", "up")
        self.words = self.bridge() or self.relay() or self.bridge(delays=False)
        for number in range(HOSTS):
            ip("-n", host(number), "addr", "add", f"{NETWORK}.{number + 1}/24", "dev", "wire")
            ip("-n", host(number), "link", "set", "wire", "up")

    def bridge(self, delays=True):
        """The kernel's bridge; None where links of it cannot have the delay that they should."""
        ip("netns", "add", "tern-switch")
        ip("-n", "tern-switch", "link", "add", "switch", "type", "bridge")
        ip("-n", "tern-switch", "link", "set", "switch", "up")
        for number in range(HOSTS):
            ip("-n", host(number), "link", "add", "wire", "type", "veth", "peer", "name", f"port{number}", "netns",
               "tern-switch")
            ip("-n", "tern-switch", "link", "set", f"port{number}", "master", "switch", "up")
        words, kind = ("1 Gbit/s, 1 ms", ["netem", "rate", "1gbit", "delay", "1ms"]) if delays else (
            "1 Gbit/s, no delay", ["tbf", "rate", "1gbit", "burst", "256kb", "latency", "100ms"])
        results = [subprocess.run(["tc", "-n", host(number), "qdisc", "replace", "dev", "wire", "root", *kind],
                                  capture_output=True) for number in range(HOSTS)]
        if all(result.returncode == 0 for result in results):
            return words
        if not delays:
            return "as fast as they come"
        ip("netns", "del", "tern-switch")
        for number in range(HOSTS):
            subprocess.run(["ip", "-n", host(number), "link", "del", "wire"], capture_output=True)
        return None

    def relay(self):
        """A switch of our own; None where the system gives no devices for it."""
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "delayed_switch.py")
        self.switch = subprocess.Popen([sys.executable, script, *(host(number) for number in range(HOSTS))],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.switch.stdout.readline().strip() != "ready":
            self.switch = None
            return None
        for number in range(HOSTS):
            ip("-n", host(number), "link", "set", "wire", "mtu", "9000")
        return "1 Gbit/s, 1 ms (by a switch of the test's own: the kernel has no netem)"

    def cut(self, number):
        """Takes a host off the switch."""
        if self.switch:
            print(f"cut {number}", file=self.switch.stdin, flush=True)
        else:
            ip("-n", "tern-switch", "link", "set", f"port{number}", "down")

    def join(self, number):
        if self.switch:
            print(f"join {number}", file=self.switch.stdin, flush=True)
        else:
            ip("-n", "tern-switch", "link", "set", f"port{number}", "up")

    def remove(self):
        if self.switch:
            self.switch.stdin.close()
            self.switch.wait()
        for name in [host(number) for number in range(HOSTS)] + ["tern-switch"]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def hosts(folder, ranks, arguments, *flags):
    """The command that starts so many processes, one on each host."""
    agent = f"{folder}/agent"
    if not os.path.exists(agent):
        with open(agent, "w") as file:
            # A host has a name and a folder for temporary files of its own.
            file.write(f"""#!/bin/bash
number=$(( ${{1##*.}} - 1 )); shift
export TMPDIR={folder}/tmp-$number; mkdir -p $TMPDIR
exec ip netns exec tern-host-$number unshare -u bash -c "hostname tern-host-$number; $*"
""")
        os.chmod(agent, 0o755)
    names = ",".join(f"{NETWORK}.{number + 1}:1" for number in range(ranks))
    # The launcher stands on the first host.
    launcher = ["mpirun", "--host", names, "--bind-to", "none", "-np", str(ranks),
                "--mca", "plm_rsh_agent", agent, "--mca", "plm_rsh_no_tree_spawn", "1",
                "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", f"{NETWORK}.0/24",
                "--mca", "oob_tcp_if_include", f"{NETWORK}.0/24", *KEEPALIVE, *flags]
    os.makedirs(f"{folder}/tmp-launcher", exist_ok=True)
    return ["ip", "netns", "exec", host(0), "env", f"TMPDIR={folder}/tmp-launcher", "unshare", "-u", "bash", "-c",
            f"hostname {host(0)}; exec \"$@\"", "_", *launcher, *arguments]


def events(output):
    return [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]


def network(tern, folder):
    try:
        wires = Network()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        print(f"no network namespaces here: {error}")
        return
    print(f"four hosts, links of {wires.words}")
    try:
        settings = ["lenet5", "--data", f"idx:{folder}/data", "--batch-size", "32", "--shards", "4", "--device", "cpu",
                    "--threads", "1", "-q"]
        one = subprocess.run([tern, "train", *settings, "--epochs", "2", "--out", f"{folder}/one"], env=ENVIRONMENT,
                             capture_output=True)
        four = subprocess.run(hosts(folder, 4, [tern, "train", *settings, "--epochs", "2", "--out", f"{folder}/four"]),
                              env=ENVIRONMENT, capture_output=True, timeout=120)
        check(four.returncode == 0, f"four hosts train {four.stderr.decode()[-300:] if four.returncode else ''}")
        if one.returncode == 0 and four.returncode == 0:
            check(read(f"{folder}/one/{WEIGHTS}") == read(f"{folder}/four/{WEIGHTS}"), "with the weights of one process")
        else:
            return
        for name, harm in [("cut off", lambda: wires.cut(2)),
                           ("killed", kill_host)]:
            run = f"{folder}/{name.split()[0]}"
            launcher = subprocess.Popen(
                hosts(folder, 4, [tern, "train", *settings, "--epochs", "1000", "--save-every", "5", "--out", run]),
                env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(6)
            check(launcher.poll() is None, f"they train until a host is {name}")
            start = time.monotonic()
            harm()
            output = end(launcher)
            check(output is not None and launcher.returncode != 0,
                  f"a host is {name}: all others end after {time.monotonic() - start:.1f} s")
            if output is not None:
                lines = [line for line in output[1].decode(errors="replace").splitlines() if line.strip(" -")]
                print("      " + " / ".join(lines[:4])[:400])
            if name == "cut off":
                left = subprocess.run(["ip", "netns", "pids", host(2)], capture_output=True, text=True).stdout.split()
                print(f"      processes left on the host itself: {len(left)}")
                kill_host()
                wires.join(2)
                time.sleep(1)
            resumed = subprocess.run([tern, "test", run, "--device", "cpu"], env=ENVIRONMENT, capture_output=True)
            check(resumed.returncode == 0, "its last checkpoint holds")
        bench = subprocess.run(hosts(folder, 4, [tern, "bench", "comm", "resnet18", "--batch-size", "8", "--device",
                                                 "cpu", "--threads", "1", "--seconds", "1"]),
                               env=ENVIRONMENT, capture_output=True, timeout=240)
        print(bench.stdout.decode() or bench.stderr.decode()[-300:])
        overlap = subprocess.run(hosts(folder, 4, [
            tern, "train", "resnet18", "--data", f"idx:{folder}/large", "--batch-size", "32", "--shards", "4", "--device",
            "cpu", "--threads", "1", "--steps", "9", "--log-every", "3", "--json", "--out", f"{folder}/overlap"]),
            env=ENVIRONMENT, capture_output=True, timeout=240)
        told = events(overlap.stdout)
        rates = [event["images_per_second"] for event in told if event["event"] == "step"]
        ends = [event for event in told if event["event"] == "end"]
        check(overlap.returncode == 0 and bool(ends), "ResNet-18 on four hosts, batches of 32 pictures of 224 pixels")
        if ends:
            print(f"      images/s {[round(rate, 2) for rate in rates]}, communication "
                  f"{ends[0]['communication_seconds']:.1f} s, hidden {ends[0]['communication_hidden']:.2f}")
    finally:
        for number in range(HOSTS):
            kill_host(number)
        wires.remove()


def kill_host(number=2):
    """Ends every process of a host."""
    pids = subprocess.run(["ip", "netns", "pids", host(number)], capture_output=True, text=True).stdout.split()
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tern", default=".build/release/tern")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-network", action="store_true")
    arguments = parser.parse_args()
    tern = os.path.abspath(arguments.tern)
    folder = tempfile.mkdtemp()
    try:
        os.chdir(folder)
        write_dataset("data", [("train", 320), ("t10k", 40)], 28)
        write_dataset("large", [("train", 96), ("t10k", 4)], 224)
        if arguments.kills:
            kills(tern, arguments.kills, arguments.seed)
        if not arguments.no_network:
            network(tern, folder)
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
