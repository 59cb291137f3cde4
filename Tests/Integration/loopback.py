"""A venue on loopback with one account, for the programs of this folder that trade on it. Only the standard library is used."""
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

KEY, SECRET, SYMBOL = "loopback-key", "loopback-secret", "BTCUSDT"
TRIES = 50


class Failure(Exception):
    """Something that the program was started to show did not hold."""


class Venue:
    """The venue's process, and its account over REST."""

    def __init__(self, apus, faults=None, options=(), log=None):
        command = [apus, "venue", "--port", "0", "--json", "--symbols", SYMBOL, "--account", f"{KEY}:{SECRET}", *options]
        if faults:
            command += ["--faults", faults]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path, **parameters):
        """The answer to a signed question, or the venue's error code. A fault that strikes it is met by asking again."""
        reason = None
        for _ in range(TRIES):
            query = urllib.parse.urlencode(parameters | {"timestamp": int(time.time() * 1000), "recvWindow": 60000})
            signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": KEY})
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                reason = error
                if error.code < 500 and error.code not in (418, 425, 429):
                    return json.load(error)["code"]
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = error
        raise Failure(f"{path} is not answered: {reason}")

    def rows(self, path, **parameters):
        """As `get`, of what is a list."""
        answer = self.get(path, **parameters)
        if not isinstance(answer, list):
            raise Failure(f"{path} says {answer}")
        return answer

    def order(self, client_id):
        return self.get("/fapi/v1/order", symbol=SYMBOL, origClientOrderId=f"apus{client_id:016x}")

    def open_orders(self):
        return self.rows("/fapi/v1/openOrders", symbol=SYMBOL)

    def position(self):
        """What is held, and its average entry price."""
        row = next((row for row in self.rows("/fapi/v3/positionRisk") if row["symbol"] == SYMBOL), None)
        return (Decimal(row["positionAmt"]), Decimal(row["entryPrice"])) if row else (Decimal(0), Decimal(0))

    def wallet(self):
        return next(Decimal(row["balance"]) for row in self.rows("/fapi/v3/balance") if row["asset"] == "USDT")

    def trades(self):
        """All trades of the account that the venue still knows: pages of a thousand, by number."""
        found, start = [], 0
        while True:
            page = self.rows("/fapi/v1/userTrades", symbol=SYMBOL, fromId=start, limit=1000)
            found += [trade for trade in page if trade["id"] >= start]
            if len(page) < 1000:
                return found
            start = page[-1]["id"] + 1

    def addresses(self):
        """Where an engine finds it: keys of the configuration."""
        host = f"127.0.0.1:{self.port}"
        return {"venue.kind": "binance-usdm", "venue.symbols": SYMBOL, "venue.rest": f"http://{host}",
                "venue.stream": f"ws://{host}", "venue.user": f"ws://{host}", "venue.orders": f"ws://{host}/ws-fapi/v1"}


def environment():
    """With the account's keys."""
    return os.environ | {"APUS_BINANCE_API_KEY": KEY, "APUS_BINANCE_API_SECRET": SECRET}


def settings(values):
    """Keys of the configuration as arguments of `apus`."""
    return [argument for key, value in values.items() for argument in ("--set", f"{key}={value}")]
