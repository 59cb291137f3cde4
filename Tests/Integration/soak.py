#!/usr/bin/env python3
"""Trades at a steady rate on a faulty venue and looks whether anything grows or differs at the end.

    soak.py --apus PATH --soak PATH [--seconds 1800] [--rate 2000] [--faults RATES] [--directory DIR]

`--apus` is the program whose venue is traded on, `--soak` the program with the strategy order-storm (target ApusSoak). After the run the
venue is asked with the account's key: nothing may be open there, and positions and money must be those of the journal; then a reconcile
must find nothing to do. Prints one JSON object and `N passed, N failed`; exits 1 when anything failed.
"""
import argparse
import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from decimal import Decimal

KEY, SECRET = "apus-soak-key", "apus-soak-secret"
# What hurts orders, in a million messages or answers.
FAULTS = ("lost-answer=100,late-answer=50,cut-answer=20,failed-answer=50,duplicate-event=200,reordered-event=200,"
          "server-error=50,disconnect=5,gap=5")
GROWTH_MIB = 8
MEMORY_EVERY_S = 2


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apus", required=True)
    parser.add_argument("--soak", required=True)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--faults", default=FAULTS)
    parser.add_argument("--directory", help="where journal and logs are kept; default: a folder that is removed at the end")
    return parser.parse_args()


class Venue:
    """A venue process and its account, asked over REST."""

    def __init__(self, apus, faults, directory):
        self.log = open(os.path.join(directory, "venue.log"), "w")
        command = [apus, "venue", "--port", "0", "--account", f"{KEY}:{SECRET}", "--json"]
        if faults:
            command += ["--faults", faults]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def ask(self, path, **parameters):
        """A signed request; a fault that strikes it is met by asking again."""
        for attempt in range(50):
            query = urllib.parse.urlencode(parameters | {"timestamp": int(time.time() * 1000), "recvWindow": 60000})
            signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": KEY})
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return json.load(answer)
            except (OSError, ValueError) as error:
                reason = error
        raise RuntimeError(f"{path} does not answer: {reason}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


def configuration(port, rate, directory):
    address = f"127.0.0.1:{port}"
    return {
        "mode": "live",
        "venue": {"kind": "binance-usdm", "symbols": ["BTCUSDT"], "rest": f"http://{address}", "stream": f"ws://{address}",
                  "user": f"ws://{address}", "orders": f"ws://{address}/ws-fapi/v1"},
        "strategy": {"name": "order-storm", "parameters": {"rate": str(rate)}},
        "engine": {"name": f"soak-{os.getpid()}"},
        "journal": {"path": os.path.join(directory, "journal")},
        "risk": {"orders_per_second": 10 * rate, "order_burst": 10 * rate, "orders_per_minute": 600 * rate,
                 "max_open_orders": 500, "max_instrument_orders": 500, "max_position_notional": "100000",
                 "max_gross_exposure": "1000000", "max_net_exposure": "1000000", "max_daily_loss": "1000000",
                 "max_drawdown": "1000000", "max_order_notional": "100000"},
    }


def anonymous_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0


def trade(arguments, venue, config, directory):
    """Runs the engine; returns its summary and its memory over time, in MiB."""
    command = [arguments.soak, "run", "--config", config, "--live", "--json", "--quiet", "--seconds", str(arguments.seconds)]
    environment = os.environ | {"APUS_BINANCE_API_KEY": KEY, "APUS_BINANCE_API_SECRET": SECRET}
    memory = []
    with open(os.path.join(directory, "engine.log"), "w") as log:
        engine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        while engine.poll() is None:
            try:
                engine.wait(timeout=MEMORY_EVERY_S)
            except subprocess.TimeoutExpired:
                memory.append(anonymous_mib(engine.pid))
                if sys.stderr.isatty():
                    print(f"\r{len(memory) * MEMORY_EVERY_S} s, {memory[-1]:.1f} MiB ", end="", file=sys.stderr)
        output = engine.stdout.read()
    if not output.strip():
        raise RuntimeError(f"the engine said nothing; see {directory}/engine.log")
    return json.loads(output.splitlines()[-1]), memory


def growth(memory):
    """Median of the last quarter less that of the second: what warms up belongs to the first."""
    if len(memory) < 12:
        return None
    quarter = len(memory) // 4
    def median(values):
        return sorted(values)[len(values) // 2]
    return median(memory[-quarter:]) - median(memory[quarter:2 * quarter])


def main():
    arguments = parse_arguments()
    directory = arguments.directory or tempfile.mkdtemp(prefix="apus-soak-")
    os.makedirs(directory, exist_ok=True)
    checks = {}
    venue = Venue(arguments.apus, arguments.faults, directory)
    try:
        before = Decimal(next(row["balance"] for row in venue.ask("/fapi/v3/balance") if row["asset"] == "USDT"))
        config = os.path.join(directory, "config.json")
        with open(config, "w") as file:
            json.dump(configuration(venue.port, arguments.rate, directory), file)
        summary, memory = trade(arguments, venue, config, directory)
        journal = os.path.join(directory, "journal")
        held = json.loads(subprocess.run([arguments.apus, "history", "positions", journal, "--json"], check=True,
                                         capture_output=True, text=True).stdout)
        ours = next((row for row in held if row["symbol"] == "BTCUSDT"), None)
        theirs = next((row for row in venue.ask("/fapi/v3/positionRisk") if row["symbol"] == "BTCUSDT"), None)
        wallet = Decimal(next(row["balance"] for row in venue.ask("/fapi/v3/balance") if row["asset"] == "USDT"))
        earned = Decimal(ours["realised"]) - Decimal(ours["fees"]) if ours else Decimal(0)
        quantity = (Decimal(ours["quantity"]) if ours else 0, Decimal(theirs["positionAmt"]) if theirs else 0)
        environment = os.environ | {"APUS_BINANCE_API_KEY": KEY, "APUS_BINANCE_API_SECRET": SECRET}
        reconcile = subprocess.run([arguments.apus, "reconcile", "--config", config, "--json"], env=environment,
                                   capture_output=True, text=True)
        grown = growth(memory)
        rate = summary["orders"] / summary["seconds"]
        checks["the rate was held"] = rate > 0.9 * arguments.rate
        checks["there were fills"] = summary["fills"] > 0
        checks["nothing is open at the venue"] = venue.ask("/fapi/v1/openOrders") == []
        checks["the engine knows of no open order"] = summary["open_orders"] == 0
        checks["the position is the venue's"] = quantity[0] == quantity[1]
        checks["the money is the venue's"] = abs(wallet - before - earned) < Decimal("0.000001")
        checks["a reconcile finds nothing to do"] = reconcile.returncode == 0
        checks["memory does not grow"] = grown is None or grown < GROWTH_MIB
        print(json.dumps({
            "orders": summary["orders"], "fills": summary["fills"], "seconds": summary["seconds"], "rate": round(rate),
            "rejections": summary["rejections"], "events_lost": summary["events_lost"], "position": str(quantity[0]),
            "venue_position": str(quantity[1]), "earned": str(earned), "venue_earned": str(wallet - before),
            "growth_mib": grown if grown is None else round(grown, 2), "blocked": summary["blocked"]}))
        if reconcile.returncode != 0:
            print(reconcile.stdout + reconcile.stderr, file=sys.stderr)
    finally:
        venue.stop()
    for name, passed in checks.items():
        if not passed:
            print(f"FAILED {name}")
    failed = sum(not passed for passed in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    if failed == 0 and arguments.directory is None:
        shutil.rmtree(directory)
    elif failed:
        print(f"journal and logs are in {directory}", file=sys.stderr)
    sys.exit(1 if failed else 0)


main()
