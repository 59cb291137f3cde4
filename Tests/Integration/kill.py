#!/usr/bin/env python3
"""Kills a trading engine with SIGKILL at random moments, starts it again, and holds its journal against the venue.

    kill.py --apus PATH [--rounds N] [--seed N] [--fsync each|interval|never] [--faults [RATES]] [--keep]

Starts `apus venue` with one account, and `apus run` against it with a journal. Each round kills the engine somewhere between its
start and a few seconds later; the next one recovers. After each kill the journal must verify; at the end the engine stops in order,
and then every order of the journal must be what the venue says it is, no order may be at the venue twice or unknown to the journal,
and the position must be the venue's. Prints `N passed, N failed` and exits 1 when anything failed.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from decimal import Decimal

from loopback import Failure, Venue, environment, settings

NOT_FOUND = -2013
# What hurts orders, in a million messages or answers: a run has some thousands.
FAULTS = ("lost-answer=3000,late-answer=2000,cut-answer=1000,failed-answer=2000,duplicate-event=5000,reordered-event=5000,"
          "server-error=2000,disconnect=20,gap=20")


class Engine:
    def __init__(self, arguments, venue, journal, seconds=None):
        config = venue.addresses() | {
            "mode": "live", "strategy.name": "market-maker", "risk.max_position": "0.5", "journal.path": journal,
            "journal.fsync": arguments.fsync, "journal.segment_mb": "1", "engine.name": f"kill-{os.getpid()}",
            "engine.idle": "park", "recovery.patience_seconds": "90",
        }
        command = [arguments.apus, "run", "--plain", "--json", *settings(config)]
        if seconds:
            command += ["--seconds", str(seconds)]
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=self.log, text=True)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait_until_running(self, patience=120):
        """Until recovery has ended and the engine runs; a start that fails is told."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failure(f"the engine ended with {self.process.returncode}:\n{self.said()}")
            if " runs " in self.said():
                return
            time.sleep(0.02)
        raise Failure(f"the engine does not start:\n{self.said()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        out, _ = self.process.communicate(timeout=180)
        if self.process.returncode != 0:
            raise Failure(f"the last run ended with {self.process.returncode}:\n{self.said()}")
        return json.loads(out.strip().splitlines()[-1])


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, condition, seen=""):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}: {seen}", flush=True)


def verify(arguments, journal):
    result = subprocess.run(
        [arguments.apus, "journal", journal, "--verify", "--json"], capture_output=True, text=True, timeout=120)
    return result.returncode, json.loads(result.stdout.strip().splitlines()[-1])


def read_journal(arguments, journal):
    """What the journal says of each order, and of the position."""
    result = subprocess.run([arguments.apus, "journal", journal, "--json"], capture_output=True, text=True, timeout=300)
    orders, trades, position, places, decimals = {}, set(), Decimal(0), 0, 0
    for line in result.stdout.splitlines():
        row = json.loads(line)
        if row["kind"] in ("intent", "adopted"):
            if row["kind"] == "adopted" or row["action"] == "place":
                places += 1
                orders.setdefault(row["client_id"], {"side": row["side"], "filled": Decimal(0)})
        elif row["kind"] == "instrument":
            decimals = row["quantity_decimals"]
        elif row["kind"] == "state" and row["subject"] == "position":
            # What was held before the first run.
            position += Decimal(row["values"][0]).scaleb(-decimals)
        elif row["kind"] == "report":
            order = orders.get(row["client_id"])
            if row["report"] == "settled":
                position += Decimal(row["quantity"]) * (1 if row["side"] == "buy" else -1)
            if order is None:
                continue
            if row["report"] == "fill":
                key = (row["client_id"], row["trade_id"])
                if key not in trades:
                    trades.add(key)
                    order["told"] = order.get("told", 0) + Decimal(row["quantity"])
            order["filled"] = max(order["filled"], Decimal(row["cumulative"]), order.get("told", 0))
    for order in orders.values():
        position += order["filled"] * (1 if order["side"] == "buy" else -1)
    return orders, trades, position, places


def compare(arguments, venue, journal, tally):
    orders, trades, position, places = read_journal(arguments, journal)
    tally.check("no order number is given twice", places == len(orders), f"{places} placements of {len(orders)} numbers")
    tally.check("something was traded", len(orders) > 10 and len(trades) > 0, f"{len(orders)} orders, {len(trades)} trades")
    numbers = {}
    for client_id, order in orders.items():
        theirs = venue.order(client_id)
        if not isinstance(theirs, dict):
            tally.check(f"order {client_id:x}", theirs == NOT_FOUND and order["filled"] == 0, f"{order}, venue {theirs}")
            continue
        numbers[theirs["orderId"]] = client_id
        tally.check(
            f"order {client_id:x}", Decimal(theirs["executedQty"]) == order["filled"],
            f"journal {order}, venue {theirs['status']} {theirs['executedQty']}")
    at_venue = venue.trades()
    for trade in at_venue:
        tally.check("a trade's order is in the journal", trade["orderId"] in numbers, trade)
    told = {(numbers.get(trade["orderId"]), trade["id"]) for trade in at_venue}
    tally.check("no trade is invented", trades <= told, sorted(trades - told)[:5])
    held, _ = venue.position()
    tally.check("position", position == held, f"journal {position}, venue {held}")
    left = venue.open_orders()
    tally.check("nothing is open after an orderly stop", left == [], left)
    print(f"{arguments.rounds} rounds, {len(orders)} orders, {len(trades)} trades")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apus", required=True, help="the program")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fsync", choices=["each", "interval", "never"], default="interval")
    parser.add_argument("--faults", nargs="?", const=FAULTS, help="the venue's faults, as `apus venue --faults` takes them")
    parser.add_argument("--keep", action="store_true", help="leave the journal's folder")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    tally = Tally()
    folder = tempfile.mkdtemp(prefix="apus-kill-")
    journal = os.path.join(folder, "journal")
    venue = Venue(arguments.apus, arguments.faults, ["--seed", str(arguments.seed), "--speed", "brisk"])
    engine = None
    try:
        for number in range(arguments.rounds):
            engine = Engine(arguments, venue, journal)
            # Now and then in the midst of the recovery; else while it trades.
            if dice.random() < 0.2:
                time.sleep(dice.uniform(0.05, 1.5))
            else:
                engine.wait_until_running()
                time.sleep(dice.uniform(0.1, 4))
            engine.kill()
            if os.path.isdir(journal) and os.listdir(journal):
                status, end = verify(arguments, journal)
                tally.check(f"round {number}: the journal is sound", status in (0, 1), end)
        engine = Engine(arguments, venue, journal, seconds=5)
        summary = engine.finish()
        tally.check("the last run leaves nothing open", summary["open_orders"] == 0, summary)
        status, end = verify(arguments, journal)
        tally.check("the journal ends in order", status == 0, end)
        compare(arguments, venue, journal, tally)
    except Failure as failure:
        tally.check("run", False, failure)
    except Exception:  # whatever it was: what was seen by then is told, and the journal stays
        traceback.print_exc()
        tally.check("run", False, "see above")
    finally:
        if engine is not None and engine.process.poll() is None:
            engine.kill()
        venue.stop()
        if arguments.keep or tally.failed:
            print(f"journal: {journal}")
        else:
            shutil.rmtree(folder)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
