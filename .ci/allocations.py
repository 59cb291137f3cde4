#!/usr/bin/env python3
"""Counts what the hot and the decision thread allocate while the market maker trades, over a million events in steady state: nothing.

The count is jemalloc's own of each thread; the engine tries the counter with an allocation before it believes it, and reports
null where it does not move, which fails here.
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EVENTS = 1_000_000
SECONDS = 75


def main():
    path = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout.strip()
    command = [os.path.join(path, "apus"), "run", "--symbols", "BTCUSDT,ETHUSDT", "--seconds", str(SECONDS), "--json", "--quiet"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"APUS_VENUE_SPEED": "fast"})
    result = json.loads(done.stdout)
    counted = result["allocated"]
    print(f"{result['events']} events, {result['orders']} orders, {result['fills']} fills; allocated in steady state: {counted}")
    if counted is None:
        sys.exit("the threads' allocations were not counted")
    if counted["events"] < EVENTS:
        sys.exit(f"only {counted['events']} events in steady state, {EVENTS} are wanted")
    if result["orders"] == 0 or result["fills"] == 0:
        sys.exit("the market maker did not trade")
    if counted["hot"] or counted["decide"]:
        sys.exit("the hot path allocates")


main()
