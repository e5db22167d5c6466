#!/usr/bin/env python3
"""Attacks `tern` with damaged files and calls that fail.

    Tests/attack/attack.py                        20,000 damaged files, and every fault in turn (4,000)
    Tests/attack/attack.py --quick                a fixed part of both, in half a minute of two cores
    Tests/attack/attack.py --seed 7 --runs 5000   other damage
    Tests/attack/attack.py --only csv/            only targets whose name starts so
    Tests/attack/attack.py --case csv/train#17    one case again; its folder is kept, the command printed

Needs Python 3.9 and a C compiler, and nothing else. Each run must end by itself, with a documented
exit code, without a signal, within the time and below 1 GiB; an error is one line. A command that
reports success although a call failed must have made what it makes in peace. A case that fails is
kept: its files and its command.
"""

import argparse
import collections
import hashlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings

import mutations
import seeds
import targets

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

EXIT_CODES = {0, 1, 3, 4, 64, 65, 66, 69, 73}
MEMORY_LIMIT = 1 << 30
CPU_SECONDS = 20
# A neighbour may take the cores: what counts is that it goes on.
WALL_SECONDS = 120
ASLEEP_SECONDS = 12

FAULTS = {
    "open": ["EACCES", "EINTR", "EMFILE"], "read": ["EIO", "EINTR", "short"], "write": ["ENOSPC", "EINTR", "short", "EIO"],
    "fsync": ["EIO", "EINTR"], "rename": ["EACCES", "ENOSPC"], "mkdir": ["ENOSPC", "EEXIST"], "memory": ["ENOMEM"],
    "thread": ["EAGAIN"], "stat": ["EACCES"], "close": ["EIO"]}


def activity(process):
    """What changes while a process goes on: CPU time, and a thread that wants to run."""
    times = []
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            times.append(time.time() if fields[0] in b"RD" else (fields[11], fields[12]))
    except OSError:
        return time.time()
    return times


class Attack:
    def __init__(self, tern, seed, folder, kept):
        self.tern, self.seed, self.folder, self.kept = tern, seed, folder, kept
        self.base = os.path.join(folder, "base")
        self.shim = os.path.join(folder, "faults.so")

    # What is attacked.

    def prepare(self, with_opencl):
        seeds.write_all(self.base, os.path.join(ROOT, "Tests", "Cases"))
        compiler = next((c for c in (os.environ.get("CC"), "cc", "clang", "gcc") if c and shutil.which(c)), None)
        if not compiler:
            sys.exit("attack: no C compiler (CC, cc, clang, gcc)")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self.shim, os.path.join(HERE, "faults.c")], check=True)

        def make(*command):
            done = subprocess.run([self.tern, *command], cwd=self.base, env=self.environment(), capture_output=True)
            if done.returncode != 0:
                sys.exit(f"attack: the seed cannot be made: tern {' '.join(command)}\n{done.stderr.decode()}")

        make("train", "net.yaml", "--data", "idx:idx", "--epochs", "1", "--batch-size", "4", "--out", "run",
             "--device", "reference")
        make("train", "linear", "--data", "csv:table.csv", "--epochs", "1", "--batch-size", "4", "--out", "csvrun",
             "--device", "reference")
        make("train", "nnlm", "--data", "text:words.txt", "--sequence-length", "4", "--vocabulary", "12", "--epochs", "1",
             "--out", "textrun", "--device", "reference")
        for name in ("weights.safetensors", "weights.pt", "net.onnx"):
            make("export", "run", "--out", name)
        if with_opencl:
            cache = {"XDG_CACHE_HOME": os.path.join(self.base, "cache")}
            for command in (["verify", "--device", "opencl/stored-programs", "--op", "conv2d/basic"],
                            ["tune", "--device", "opencl/stored-programs", "--suite", "suite.json", "--budget", "1"]):
                subprocess.run([self.tern, *command], cwd=self.base, env=self.environment(cache), capture_output=True)

    def environment(self, more=()):
        return {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8", "OMP_WAIT_POLICY": "passive",
                "TMPDIR": self.folder, "TERN_CACHE": "off" if not more or "XDG_CACHE_HOME" not in more else "on",
                **dict(more)}

    def copy(self, needs, folder):
        for need in needs:
            source, goal = os.path.join(self.base, need), os.path.join(folder, need)
            if os.path.isdir(source):
                shutil.copytree(source, goal, symlinks=True, dirs_exist_ok=True)
            elif not os.path.exists(goal):
                os.makedirs(os.path.dirname(goal), exist_ok=True)
                shutil.copyfile(source, goal)

    # One run.

    def run(self, command, folder, environment):
        """-> (signal or None, exit code, stdout, stderr, peak bytes, why it was stopped)"""
        out, err = os.path.join(folder, ".stdout"), os.path.join(folder, ".stderr")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, out, flags, 0o644),
                   (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o644)]
        os.chdir(folder)
        stopped = []
        child = os.posix_spawn(self.tern, [self.tern, *command], environment, file_actions=actions, setpgroup=0)
        resource.prlimit(child, resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
        resource.prlimit(child, resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))

        start, asleep = time.time(), [None, time.time()]

        def watch(*_):
            now, state = time.time(), activity(child)
            if state != asleep[0]:
                asleep[:] = [state, now]
            if now - start > WALL_SECONDS:
                stopped.append(f"no end after {WALL_SECONDS} s")
            elif now - asleep[1] > ASLEEP_SECONDS:
                stopped.append(f"waits for ever: every thread slept for {ASLEEP_SECONDS} s")
            if stopped:
                os.killpg(child, signal.SIGKILL)

        signal.signal(signal.SIGALRM, watch)
        signal.setitimer(signal.ITIMER_REAL, 3, 3)
        _, status, usage = os.wait4(child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.chdir("/")

        def content(path):
            with open(path, "rb") as file:
                return file.read(1 << 20)

        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if number in (signal.SIGXCPU, signal.SIGKILL) and not stopped:
            stopped.append(f"{CPU_SECONDS} s of CPU time")
        return (number, os.WEXITSTATUS(status) if number is None else None, content(out), content(err),
                usage.ru_maxrss * 1024, stopped)

    def faults_of(self, outcome, several_errors=False, fault=""):
        """What is wrong with how a run ended."""
        number, code, out, err, peak, stopped = outcome
        found = list(stopped)
        if number is not None and not stopped:
            found.append(f"signal {signal.Signals(number).name}")
        if code is not None and code not in EXIT_CODES:
            found.append(f"exit code {code}")
        if peak > MEMORY_LIMIT:
            found.append(f"{peak >> 20} MiB resident")
        text = err.decode("utf-8", "replace")
        errors = [line for line in text.split("\n") if re.match(r"(tern: error: |Error: )", line)]
        others = [line for line in text.split("\n") if re.search(r"Fatal error|libgomp|terminate called|Stack dump", line)]
        if others:
            found.append(f"stderr: {others[0][:100]}")
        if code == 0 and errors:
            found.append(f"exit code 0, and {errors[0][:100]}")
        if code not in (None, 0, 4) and not stopped:
            # Verify tells of a case that fails, and predict of a picture that cannot be read, in its place.
            # What cannot be written cannot be told either.
            if not errors and not (code == 1 and out) and not fault.startswith("write"):
                found.append(f"exit code {code} without a line of error")
            if len(errors) > 1 and not several_errors:
                found.append(f"{len(errors)} lines of error")
        if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", err) or re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", out):
            found.append("a control character on the terminal")
        if any(len(line) > 2000 for line in errors):
            found.append("a line of error longer than 2,000 characters")
        return found

    # Cases.

    def mutated(self, name, index, keep=False):
        target = self.by_name[name]
        r = random.Random(f"{self.seed}/{name}/{index}")
        file = r.choice(target.files)
        with open(os.path.join(self.base, file), "rb") as source:
            data = source.read()
        data = mutations.BY_NAME[target.mutation](r, data)
        folder = tempfile.mkdtemp(prefix="case-", dir=self.folder)
        self.copy([*target.needs, file], folder)
        place = os.path.join(folder, file)
        if r.random() < 0.02:
            self.replace(r, place)
        else:
            with open(place, "wb") as goal:
                goal.write(data)
        command = [word[:-1] + file if word == "@" or word.endswith(":@") else word for word in target.command]
        environment = self.environment(
            {key: os.path.join(folder, value) for key, value in target.environment.items()})
        outcome = self.run(command, folder, environment)
        return self.close(f"{name}#{index}", folder, command, {}, outcome,
                          self.faults_of(outcome, several_errors=command[0] == "predict"), keep)

    @staticmethod
    def replace(r, place):
        """Puts something else where a file should be."""
        os.path.lexists(place) and os.remove(place)
        kind = r.randrange(6)
        if kind == 0:
            os.mkdir(place)
        elif kind <= 4:
            os.symlink([os.path.basename(place), "nowhere", "/dev/null", "/dev/zero"][kind - 1], place)

    def failing(self, name, fault, keep=False):
        target = self.by_name[name]
        folder = tempfile.mkdtemp(prefix="case-", dir=self.folder)
        self.copy(target.needs, folder)
        more = {"LD_PRELOAD": self.shim, "FAULT": fault}
        outcome = self.run(target.command, folder, self.environment(more))
        found = self.faults_of(outcome, several_errors=target.command[0] == "predict", fault=fault)
        if outcome[1] == 0:
            for path, digest in self.expected[name].items():
                if self.digest(os.path.join(folder, path)) != digest:
                    found.append(f"exit code 0, but {path} is not what it should be")
        left = [os.path.relpath(os.path.join(path, file), folder) for path, _, files in os.walk(folder)
                for file in files if ".tmp" in file]
        # What a failed unlink leaves cannot be helped.
        if left and not fault.startswith(("rename", "stat")) and outcome[0] is None:
            found.append(f"left behind: {left[0]}")
        return self.close(f"{name}#{fault}", folder, target.command, more, outcome, found, keep)

    def close(self, case, folder, command, more, outcome, found, keep):
        if found or keep:
            goal = os.path.join(self.kept, re.sub(r"[^\w.+-]+", "-", case))
            shutil.rmtree(goal, ignore_errors=True)
            shutil.copytree(folder, goal, symlinks=True)
            with open(os.path.join(goal, "command"), "w") as file:
                print(" ".join([*(f"{key}={value}" for key, value in more.items()), "tern", *command]), file=file)
                print(f"exit {outcome[1]}, signal {outcome[0]}, {outcome[4] >> 20} MiB; {'; '.join(found)}", file=file)
        shutil.rmtree(folder, ignore_errors=True)
        return case, outcome[1], outcome[4], found

    @staticmethod
    def digest(path):
        try:
            with open(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return None

    # The plan.

    def list_targets(self):
        self.targets = targets.targets(self.base)
        self.faulted = targets.faulted()
        self.by_name = {target.name: target for target in [*self.targets, *self.faulted]}
        self.expected = {}

    def mutation_plan(self, runs, only):
        chosen = [t for t in self.targets if t.name.startswith(only)]
        total = sum(t.weight for t in chosen)
        return [("mutated", t.name, i) for t in chosen for i in range(max(1, round(runs * t.weight / total)))]

    def fault_plan(self, runs, only):
        """Every call of every function in turn; evenly chosen where those are more than `runs`."""
        plan = []
        for target in self.faulted:
            if not target.name.startswith(only):
                continue
            folder = tempfile.mkdtemp(prefix="peace-", dir=self.folder)
            self.copy(target.needs, folder)
            counts = os.path.join(folder, ".counts")
            outcome = self.run(target.command, folder,
                               self.environment({"LD_PRELOAD": self.shim, "FAULT_COUNTS": counts}))
            if outcome[1] != 0:
                sys.exit(f"attack: {target.name} fails in peace: {outcome[3].decode()}")
            self.expected[target.name] = {path: self.digest(os.path.join(folder, path)) for path in target.results}
            with open(counts) as file:
                numbers = {kind: int(count) for kind, count in (line.split() for line in file)}
            shutil.rmtree(folder)
            plan.append(("failing", target.name, "threads"))
            for kind, errors in FAULTS.items():
                for number in range(1, min(numbers[kind], 400) + 1):
                    for error in errors:
                        plan.append(("failing", target.name, f"{kind}:{number}:{error}"))
                        if error not in ("EINTR", "short"):
                            plan.append(("failing", target.name, f"{kind}:{number}+:{error}"))
        if len(plan) > runs:
            r = random.Random(f"{self.seed}/faults")
            plan = [plan[i] for i in sorted(r.sample(range(len(plan)), runs))]
        return plan


attack = None


def work(item):
    kind, name, what = item
    return attack.mutated(name, what) if kind == "mutated" else attack.failing(name, what)


def main():
    global attack
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--runs", type=int, default=20000, help="damaged files")
    parser.add_argument("--faults", type=int, default=4000, help="runs in which a call fails")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="targets whose name starts so")
    parser.add_argument("--case", help="one case again: NAME#NUMBER or fault/NAME#FAULT")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", default=os.path.join(ROOT, ".build/attack"), help="where failing cases are kept")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.faults = 500, 150

    warnings.simplefilter("ignore")  # zipfile's, of names that are there twice
    os.makedirs(options.keep, exist_ok=True)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="tern-attack-", dir=memory)
    try:
        attack = Attack(os.path.realpath(options.tern), options.seed, folder, os.path.realpath(options.keep))
        attack.prepare(with_opencl=not options.quick)
        attack.list_targets()
        if options.case:
            name, what = options.case.split("#", 1)
            if name.startswith("fault/"):
                attack.fault_plan(1, name)
                case, code, peak, found = attack.failing(name, what, keep=True)
            else:
                case, code, peak, found = attack.mutated(name, int(what), keep=True)
            print(f"{case}: exit {code}, {peak >> 20} MiB: {'; '.join(found) or 'passed'}")
            return 1 if found else 0
        plan = attack.fault_plan(options.faults, options.only) + attack.mutation_plan(options.runs, options.only)
        random.Random(options.seed).shuffle(plan)
        print(f"attack: seed {options.seed}, {len(plan)} runs, {options.jobs} at a time", flush=True)
        start, codes, bad, peak = time.time(), collections.Counter(), [], 0
        with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
            for number, (case, code, bytes_, found) in enumerate(pool.imap_unordered(work, plan, 8), 1):
                codes[code] += 1
                peak = max(peak, bytes_)
                if found:
                    bad.append(case)
                    print(f"FAILED {case}: {'; '.join(found)}", flush=True)
                if number % 2000 == 0:
                    print(f"{number} runs, {len(bad)} failed, {time.time() - start:.0f} s", flush=True)
        ends = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=lambda pair: -pair[1]))
        print(f"{len(plan)} runs in {time.time() - start:.0f} s, at most {peak >> 20} MiB; exit codes {ends}; {len(bad)} failed")
        if bad:
            print(f"kept in {options.keep}; again: Tests/attack/attack.py --seed {options.seed} --case '{bad[0]}'")
        return 1 if bad else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
