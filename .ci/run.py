#!/usr/bin/env python3
"""Runs the program as the README says and looks at the one JSON object that it must print."""
import json
import subprocess
import sys
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    done = subprocess.run(["make", "--silent", "run", "ARGS=--seconds 20 --json"], cwd=ROOT, capture_output=True, text=True)
    sys.stderr.write(done.stderr[-2000:])
    if done.returncode != 0:
        sys.exit(f"make run ended with {done.returncode}")
    result = json.loads(done.stdout)  # one object and nothing else, or this fails
    print(json.dumps(result))
    for key in ("events", "orders", "fills", "seconds"):
        if not result[key] > 0:
            sys.exit(f"{key} is {result[key]}")
    if "pnl" not in result:
        sys.exit("there is no pnl")
    for name, hop in result["hops"].items():
        if not 0 <= hop["p50"] <= hop["p99"] <= hop["p999"] <= hop["max"]:
            sys.exit(f"hop {name} is not ordered: {hop}")
    for name in ("receive_publish", "publish_decide", "decide_order", "order_sent"):
        if name not in result["hops"]:
            sys.exit(f"there is no hop {name}: {sorted(result['hops'])}")


main()
