#!/usr/bin/env python3
"""Trades at a steady rate on a faulty venue and looks whether anything grows or differs at the end.

    soak.py --apus PATH --soak PATH [--seconds 1800] [--rate 2000] [--faults RATES] [--directory DIR] [--keep]

`--apus` is the program whose venue is traded on, `--soak` the program with the strategy order-storm (target ApusSoak). Memory, descriptors and
threads of engine, supervisor and venue, and how far journal and feed are behind, are looked at all the time; what is median of the last
quarter of the run may not be above that of the second. Afterwards the journal must be sound and a second run must go on from it; then the
venue is asked with the account's key: nothing may be open there, position, money, and each order and trade that it still knows must be those
of the journal, and a reconcile must find nothing to do. Prints one JSON object and `N passed, N failed`; exits 1 when anything failed. The
journal is removed at the end unless something failed.
"""
import argparse
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from decimal import Decimal

from loopback import SYMBOL, Failure, Venue, environment, settings

# What hurts orders, in a million messages or answers.
FAULTS = ("lost-answer=100,late-answer=50,cut-answer=20,failed-answer=50,duplicate-event=200,reordered-event=200,"
          "server-error=50,disconnect=5,gap=5")
# What may be more in the last quarter of a run than in its second: the first is for what warms up.
ALLOWED = {
    "engine_mib": 4, "engine_files_mib": 48, "engine_descriptors": 8, "engine_threads": 2,
    "supervisor_mib": 4, "supervisor_files_mib": 48, "supervisor_descriptors": 8, "supervisor_threads": 2,
    "venue_mib": 8, "venue_files_mib": 48, "venue_descriptors": 8, "venue_threads": 2,
    "journal_records_behind": 20_000, "feed_events_behind": 1000,
}
SAMPLES = 60
SAMPLES_MIN = 12
ORDERS_ASKED = 2000
# Differences that are told, at most.
SHOWN = 10
# An average entry price is told in whole units of the price.
PRICE_ROUNDING = Decimal("0.02")
# How long after a fill the engine may take to learn of its trade.
TRADE_PATIENCE_S = 20
# Of the rate that is asked for.
RATE_HELD = 0.9


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apus", required=True)
    parser.add_argument("--soak", required=True)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--faults", default=FAULTS)
    parser.add_argument("--directory", help="where journal and logs are kept meanwhile; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave them there")
    return parser.parse_args()


def configuration(venue, rate, directory):
    return venue.addresses() | {
        "mode": "live", "strategy.name": "order-storm", "strategy.parameters.rate": rate,
        "engine.name": f"soak-{os.getpid()}",
        "engine.socket": os.path.join(directory, "control"), "journal.path": os.path.join(directory, "journal"),
        "risk.orders_per_second": 10 * rate, "risk.order_burst": 10 * rate, "risk.orders_per_minute": 600 * rate,
        "risk.max_open_orders": 500, "risk.max_instrument_orders": 500, "risk.max_position_notional": 100000,
        "risk.max_order_notional": 100000, "risk.max_gross_exposure": 1000000, "risk.max_net_exposure": 1000000,
        "risk.max_daily_loss": 1000000, "risk.max_drawdown": 1000000,
    }


def process_sample(name, pid):
    """What a process takes. Mapped files count apart: the kernel may take them back."""
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return {
        f"{name}_mib": int(status["RssAnon"].split()[0]) / 1024, f"{name}_files_mib": int(status["RssFile"].split()[0]) / 1024,
        f"{name}_descriptors": len(os.listdir(f"/proc/{pid}/fd")), f"{name}_threads": int(status["Threads"])}


def child(pid):
    """The supervisor: the one process that the engine starts."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            if children := file.read().split():
                return int(children[0])
    raise Failure("the engine has no supervisor")


class Run:
    """The engine's process."""

    def __init__(self, arguments, config, directory, seconds):
        self.apus, self.config = arguments.apus, config
        command = [arguments.soak, "run", "--live", "--json", "--plain", "--seconds", str(seconds), *settings(config)]
        self.log = open(os.path.join(directory, "engine.log"), "a+")
        self.from_here = self.log.seek(0, os.SEEK_END)
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment())

    def wait_until_running(self):
        """Returns how many seconds the start took."""
        while self.process.poll() is None:
            self.log.seek(self.from_here)
            if " runs " in self.log.read():
                return time.monotonic() - self.begin
            time.sleep(0.05)
        raise Failure(f"the engine ended with {self.process.returncode}; see engine.log")

    def behind(self):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(self.config["engine.socket"])
            control.sendall(b'{"request":"status"}\n')
            journal = json.loads(control.makefile().readline())["journal"]
        top = subprocess.run([self.apus, "top", self.config["engine.name"], "--once", "--json", "--depth", "0"], check=True,
                             capture_output=True, text=True)
        feed = json.loads(top.stdout)
        return {"journal_records_behind": journal["written"] - journal["durable"],
                "feed_events_behind": max(feed["published"] - feed["counters"]["events_read"], 0)}

    def finish(self):
        output, _ = self.process.communicate(timeout=60)
        if self.process.returncode != 0 or not output.strip():
            raise Failure(f"the engine ended with {self.process.returncode}; see engine.log")
        return json.loads(output.splitlines()[-1])


def watch(run, venue, seconds):
    """Samples of a run until shortly before its end."""
    samples, pause = [], max(seconds / SAMPLES, 0.5)
    supervisor = child(run.process.pid)
    end = run.begin + seconds - 2 * pause
    while time.monotonic() < end:
        time.sleep(pause)
        samples.append(process_sample("engine", run.process.pid) | process_sample("supervisor", supervisor)
                       | process_sample("venue", venue.process.pid) | run.behind())
        if sys.stderr.isatty():
            print(f"\r{time.monotonic() - run.begin:.0f} s, engine {samples[-1]['engine_mib']:.1f} MiB, "
                  f"venue {samples[-1]['venue_mib']:.1f} MiB ", end="", file=sys.stderr)
    return samples


def median(values):
    return sorted(values)[len(values) // 2]


def growth(samples):
    """Of each quantity: medians of the second and of the last quarter."""
    quarter = len(samples) // 4
    return {name: (round(median([sample[name] for sample in samples[quarter:2 * quarter]]), 2),
                   round(median([sample[name] for sample in samples[-quarter:]]), 2)) for name in ALLOWED}


def read_history(apus, journal):
    """The history that `apus` makes from the journal."""
    rows = subprocess.run([apus, "history", "positions", journal, "--json"], check=True, capture_output=True, text=True)
    position = next(row for row in json.loads(rows.stdout) if row["symbol"] == SYMBOL)
    history = sqlite3.connect(os.path.join(journal, "history.db"))
    # Of millions of orders those of the venue's trades are looked up one by one.
    history.execute("CREATE INDEX orders_of_the_venue ON orders (venue_id)")
    return position, history


def compare(venue, history, checks):
    """Each order and trade that the venue still knows against the history."""
    differing = []
    for number, venue_number, filled in history.execute(
            "SELECT id, venue_id, filled FROM orders WHERE venue_id != 0 ORDER BY decided_at DESC, id DESC LIMIT ?", (ORDERS_ASKED,)):
        number &= 2**64 - 1  # SQLite's are signed
        theirs = venue.order(number)
        if (not isinstance(theirs, dict) or theirs["orderId"] != venue_number
                or Decimal(theirs["executedQty"]) != Decimal(filled)):
            differing.append(f"order {number:x}: journal {venue_number} filled {filled}, venue {theirs}")
    checks[f"the newest {ORDERS_ASKED} orders are the venue's"] = differing == []
    trades, filled = venue.trades(), {}
    for trade in trades:
        filled[trade["orderId"]] = filled.get(trade["orderId"], Decimal(0)) + Decimal(trade["qty"])
    # Of the oldest order the venue may have forgotten a trade.
    filled.pop(trades[0]["orderId"], None)
    for number, quantity in filled.items():
        ours = history.execute("SELECT filled FROM orders WHERE venue_id = ?", (number,)).fetchall()
        if [Decimal(row[0]) for row in ours] != [quantity]:
            differing.append(f"order {number} of the venue: filled {quantity} by trades, journal {ours}")
    checks["all trades are the venue's"] = len(filled) > 0 and not any("by trades" in line for line in differing)
    print(*differing[:SHOWN], sep="\n", end="\n" if differing else "")
    return len(trades)


def missed_trades(history, end):
    """Orders of which a fill was told by a status, long enough before the end, and how many of them got their trade before it."""
    orders, = history.execute("SELECT COUNT(DISTINCT order_id) FROM fills WHERE trade_id = 0 AND kind = 'fill' AND time < ?",
                              ((end - TRADE_PATIENCE_S) * 10**9,)).fetchone()
    told, = history.execute(
        "SELECT COUNT(DISTINCT first.order_id) FROM fills first JOIN fills later ON later.order_id = first.order_id "
        "AND later.record > first.record AND later.trade_id != 0 AND later.time < ? "
        "WHERE first.trade_id = 0 AND first.kind = 'fill' AND first.time < ?",
        (end * 10**9, (end - TRADE_PATIENCE_S) * 10**9)).fetchone()
    return orders, told


def soak(arguments, directory, venue, checks, result):
    config = configuration(venue, arguments.rate, directory)
    journal = config["journal.path"]
    before = venue.wallet()
    run = Run(arguments, config, directory, arguments.seconds)
    run.wait_until_running()
    samples = watch(run, venue, arguments.seconds)
    summary = run.finish()
    end = time.time()
    result |= {key: summary[key] for key in ("seconds", "orders", "fills", "cancels", "rejections", "events_lost", "blocked")}
    checks["the engine knows of no open order"] = summary["open_orders"] == 0 and summary["unconfirmed"] == []
    checks["no event was lost"] = summary["events_lost"] == 0
    checks["there are samples enough"] = len(samples) >= SAMPLES_MIN
    if len(samples) >= SAMPLES_MIN:
        result["begin_and_end"] = growth(samples)
        for name, (early, late) in result["begin_and_end"].items():
            checks[f"{name} does not grow"] = late - early <= ALLOWED[name]
    with open(os.path.join(directory, "samples.json"), "w") as file:
        json.dump(samples, file)

    result["journal_mib"] = sum(file.stat().st_size for file in os.scandir(journal)) >> 20
    begin = time.monotonic()
    verified = subprocess.run([arguments.apus, "journal", journal, "--verify", "--json"], capture_output=True, text=True)
    result["verify_seconds"] = round(time.monotonic() - begin, 2)
    checks["the journal is sound"] = verified.returncode == 0
    again = Run(arguments, config, directory, 2)
    result["restart_seconds"] = round(again.wait_until_running(), 2)
    checks["a second run leaves nothing open"] = again.finish()["open_orders"] == 0

    begin = time.monotonic()
    position, history = read_history(arguments.apus, journal)
    result["history_seconds"] = round(time.monotonic() - begin, 2)
    # Of the first run: the high half of a number names its run.
    confirmed, = history.execute(
        "SELECT COUNT(*) FROM orders WHERE venue_id != 0 AND id >> 32 = (SELECT id >> 32 FROM orders ORDER BY decided_at LIMIT 1)"
    ).fetchone()
    result |= {"confirmed": confirmed, "rate": round(confirmed / summary["seconds"])}
    checks["the rate was held"] = result["rate"] > RATE_HELD * arguments.rate
    checks["there were fills"] = summary["fills"] > 0
    result["trades_compared"] = compare(venue, history, checks)
    missed, asked = missed_trades(history, end)
    result |= {"fills_told_by_status": missed, "of_which_trades_were_asked_for": asked}
    checks["trades that were missed are asked for while it runs"] = missed == asked
    checks["nothing is open at the venue"] = venue.open_orders() == []
    held, price = venue.position()
    quantity, average = Decimal(position["quantity"]), Decimal(position["average_price"] or 0)
    checks["the position is the venue's"] = quantity == held
    # With what is held at its entry price, since the two may share a corrected price differently between what is closed and what is held.
    paid = Decimal(position["realised"]) - Decimal(position["fees"]) - average * quantity
    theirs = venue.wallet() - before - price * held
    result |= {"position": str(quantity), "venue_position": str(held), "paid": str(paid), "venue_paid": str(theirs)}
    checks["the money is the venue's"] = abs(theirs - paid) < Decimal("0.000001") + PRICE_ROUNDING * abs(held)
    reconcile = subprocess.run([arguments.soak, "reconcile", *settings(config), "--json"], env=environment(),
                               capture_output=True, text=True)
    checks["a reconcile finds nothing to do"] = reconcile.returncode == 0
    if reconcile.returncode != 0:
        print(reconcile.stdout + reconcile.stderr)


def main():
    arguments = parse_arguments()
    directory = arguments.directory or tempfile.mkdtemp(prefix="apus-soak-")
    os.makedirs(directory, exist_ok=True)
    checks, result = {}, {}
    venue = Venue(arguments.apus, arguments.faults, log=open(os.path.join(directory, "venue.log"), "w"))
    try:
        soak(arguments, directory, venue, checks, result)
    except Exception:  # whatever it was, it is told beside what was seen by then
        traceback.print_exc()
        checks["it came to its end"] = False
    finally:
        venue.stop()
    print(json.dumps(result))
    for name, passed in checks.items():
        if not passed:
            print(f"FAILED {name}")
    failed = sum(not passed for passed in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    if failed or arguments.keep:
        print(f"journal and logs are in {directory}", file=sys.stderr)
    else:
        shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
