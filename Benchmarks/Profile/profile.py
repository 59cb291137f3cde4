#!/usr/bin/env python3
"""Records a trading engine with perf and draws a flame graph of it: see docs/PROFILING.md, and `make profile`.

Without --pid and --engine it starts `apus run` on the loopback venue, spinning on one processor, waits until orders are
answered, records, and ends it.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATIENCE_SECONDS = 30


def fail(text):
    sys.exit(f"profile: {text}")


def check_perf():
    """perf is there, and may look."""
    if shutil.which("perf") is None:
        fail("perf is not installed; on Debian: apt-get install linux-perf (on Ubuntu: linux-tools-$(uname -r))")
    if os.geteuid() == 0:
        return
    try:
        with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as file:
            level = int(file.read())
    except OSError:
        fail("this kernel has no perf events: there is no /proc/sys/kernel/perf_event_paranoid")
    if level > 2:
        fail(f"kernel.perf_event_paranoid is {level}, which lets only root record; as root: "
             "sysctl kernel.perf_event_paranoid=2 (1: the kernel's part is seen too)")


def look(apus, engine):
    """One look into a running engine; None while there is none."""
    done = subprocess.run([apus, "top", engine, "--once", "--json"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def start_engine(apus, arguments, log):
    """Starts an engine on the loopback venue and waits until the venue has answered an order. Returns the process."""
    name = f"apus-profile-{os.getpid()}"
    cpu = max(os.sched_getaffinity(0))
    settings = ["engine.idle=spin", f"engine.hot_cpu={cpu}", f"engine.name={name}", "venue.speed=fast"]
    command = [apus, "run", "--json", "--quiet"] + [word for setting in settings for word in ("--set", setting)]
    engine = subprocess.Popen(command + arguments, stdout=log, stderr=log)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if engine.poll() is not None:
            fail(f"the engine ended with {engine.returncode}: {open(log.name, encoding='utf-8').read().strip()}")
        seen = look(apus, name)
        if seen is not None and seen["counters"].get("reports", 0) > 0:
            return engine
        if time.monotonic() > deadline:
            engine.kill()
            fail(f"no order was answered within {PATIENCE_SECONDS} s; the engine's log is {log.name}")
        time.sleep(0.05)


def stop_engine(engine):
    engine.send_signal(signal.SIGINT)
    try:
        engine.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        engine.kill()
        fail("the engine did not end when it was asked to")


def find_engine(apus, name):
    seen = look(apus, name)
    if seen is None:
        fail(f"no engine named {name} is running; apus top lists those that are")
    return seen["pid"]


def run_perf(command, what):
    done = subprocess.run(["perf"] + command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"perf could not {what}: {done.stderr.strip() or 'it ended with ' + str(done.returncode)}")
    return done.stdout


def record(pid, seconds, hertz, out):
    if not os.path.exists(f"/proc/{pid}"):
        fail(f"there is no process {pid}")
    data = os.path.join(out, "perf.data")
    # The clock of the kernel, since virtual machines seldom lend the processor's counters.
    run_perf(["record", "-q", "-e", "cpu-clock", "-F", str(hertz), "--call-graph", "fp", "-p", str(pid), "-o", data, "--",
              "sleep", str(seconds)], f"record the process {pid}")
    return data


def draw(data, title, out):
    text = run_perf(["script", "-i", data, "--no-inline", "-F", "comm,tid,ip,sym,dso"], "read what it has recorded")
    with open(os.path.join(out, "stacks.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    svg = os.path.join(out, "flame.svg")
    with open(svg, "w", encoding="utf-8") as file:
        done = subprocess.run([sys.executable, os.path.join(HERE, "flamegraph.py"), "--title", title], input=text, stdout=file,
                              stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        os.unlink(svg)
        fail(done.stderr.strip())
    return svg


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apus", required=True, help="the program")
    parser.add_argument("--out", default=os.path.join(ROOT, ".build", "profile"))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--hertz", type=int, default=997)
    parser.add_argument("--pid", type=int, help="a process that runs already")
    parser.add_argument("--engine", help="a running engine by its name (engine.name)")
    parser.add_argument("run", nargs="*", help="more arguments for apus run, behind --")
    arguments = parser.parse_args()
    check_perf()
    os.makedirs(arguments.out, exist_ok=True)
    pid = arguments.pid or (find_engine(arguments.apus, arguments.engine) if arguments.engine else None)
    if pid is None:
        with open(os.path.join(arguments.out, "engine.log"), "w", encoding="utf-8") as log:
            engine = start_engine(arguments.apus, arguments.run, log)
            try:
                data = record(engine.pid, arguments.seconds, arguments.hertz, arguments.out)
            finally:
                stop_engine(engine)
    else:
        data = record(pid, arguments.seconds, arguments.hertz, arguments.out)
    svg = draw(data, f"{os.path.basename(arguments.apus)}, {arguments.seconds:g} s at {arguments.hertz} Hz", arguments.out)
    print(f"{svg}\nopen it in a browser: file://{os.path.abspath(svg)}")


if __name__ == "__main__":
    main()
