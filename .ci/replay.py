#!/usr/bin/env python3
"""Holds `apus replay --json` against the reference book builder, field by field, on every recording."""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get("APUS_SHARED", os.path.join(ROOT, "..", "shared"))
FIELDS = ("applied", "levels", "best", "digest", "ticker", "gaps")


def apus():
    path = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout.strip()
    return os.path.join(path, "apus")


def replay(binary, recording):
    out = subprocess.run([binary, "replay", os.path.join(SHARED, "recordings", recording), "--json"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def reference(recording):
    tool = os.path.join(SHARED, "tools", "book_digest.py")
    out = subprocess.run([sys.executable, tool, os.path.join(SHARED, "recordings", recording)], check=True,
                         capture_output=True, text=True).stdout
    return {book["instrument"]: book for book in map(json.loads, out.splitlines())}


def main():
    binary, failures = apus(), []
    for recording in ("binance-usdm-btcusdt-20240808.gz", "binance-spot-2021"):
        result, wanted = replay(binary, recording), reference(recording)
        books = {book["instrument"]: book for book in result["books"]}
        if set(books) != set(wanted):
            failures.append(f"{recording}: instruments {sorted(books)}, the reference has {sorted(wanted)}")
        for name, book in wanted.items():
            for field in FIELDS:
                ours = books.get(name, {}).get(field)
                if ours != book[field]:
                    failures.append(f"{recording} {name}: {field} is {ours}, the reference has {book[field]}")
        print(f"{recording}: {len(wanted)} books, {result['frames']} messages, {result['events']} events in {result['seconds']} s")
    books = replay(binary, "polymarket-crossing-burst.json")["books"]
    proofs = [(book["state"], book["hash"]) for book in books]
    print(f"polymarket-crossing-burst.json: {proofs}")
    if [49, 49] not in [proof for _, proof in proofs] or "syncing" not in [state for state, _ in proofs]:
        failures.append(f"polymarket-crossing-burst.json: proofs are {proofs}")
    print("\n".join(failures) if failures else "every book equals the reference")
    sys.exit(1 if failures else 0)


main()
