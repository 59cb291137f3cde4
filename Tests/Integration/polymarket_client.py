#!/usr/bin/env python3
"""Trades on a running loopback venue with Polymarket's official Python client.

    polymarket_client.py --venv DIR --venue VENUE.json [--ca PEM]

VENUE.json is what `apus venue --kind polymarket --json` printed, started with the accounts of WALLETS below. The client
(py-clob-client-v2) is taken from the virtual environment DIR, which is made when it does not exist. Prints `N passed, M
failed` and exits 1 when anything failed.
"""
import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
import venv

PACKAGES = ["py-clob-client-v2==1.2.1", "websockets==15.0.1"]

# Publicly known test keys (Hardhat's first four), and who holds the money of each.
WALLETS = [
    ("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", 0, None),
    ("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d", 1, "0x" + "11" * 20),
    ("0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a", 2, "0x" + "22" * 20),
    ("0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6", 3, "0x" + "33" * 20),
]
STRANGER = "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", required=True, help="virtual environment with the client; made when missing")
    parser.add_argument("--venue", required=True, help="what the venue printed, a JSON object")
    parser.add_argument("--ca", help="PEM of the venue's certificate authority; needed for its TLS port")
    return parser.parse_args()


def enter_environment(arguments):
    """Makes the environment when it is missing and continues in its interpreter, which trusts the venue."""
    path = os.path.abspath(arguments.venv)
    python = os.path.join(path, "bin", "python")
    trusts = arguments.ca is None or os.environ.get("SSL_CERT_FILE") == os.path.abspath(arguments.ca)
    if os.path.abspath(sys.prefix) == path and trusts:
        return
    if not os.path.exists(python):
        venv.create(path, with_pip=True)
    found = subprocess.run([python, "-c", "import py_clob_client_v2, websockets"], stderr=subprocess.DEVNULL)
    if found.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    environment = dict(os.environ)
    if arguments.ca is not None:
        environment["SSL_CERT_FILE"] = os.path.abspath(arguments.ca)
    os.execve(python, [python, os.path.abspath(__file__), *sys.argv[1:]], environment)


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, condition, seen=None):
        if condition:
            self.passed += 1
            print(f"ok   {name}")
        else:
            self.failed += 1
            print(f"FAIL {name}: {seen!r}")

    def refused(self, name, call, status, text=""):
        """The call must fail with that status and that text."""
        from py_clob_client_v2.exceptions import PolyApiException

        try:
            self.check(name, False, call())
        except PolyApiException as error:
            self.check(name, error.status_code == status and text in str(error.error_msg), error)


def until(condition, seconds=15):
    """Asks until the condition holds; its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


def make_client(host, wallet):
    from py_clob_client_v2.client import ClobClient

    key, kind, funder = wallet
    client = ClobClient(host, 137, key=key, signature_type=kind, funder=funder)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


def test_metadata(tally, client, market):
    found = client.get_market(market["market"])
    tokens = [token["token_id"] for token in found["tokens"]]
    tally.check("the market has both tokens", tokens == [market["yes"], market["no"]], found)
    info = client.get_clob_market_info(market["market"])
    tally.check("the market's short description has them too", len(info["t"]) == 2, info)
    tally.check("the tick size is told", client.get_tick_size(market["yes"]) == "0.01", None)
    tally.check("the time is near", abs(int(client.get_server_time()) - time.time()) < 5, client.get_server_time())
    book = client.get_order_book(market["yes"])
    tally.check("the book's hash is what the client computes", book["hash"] == client.get_order_book_hash(dict(book)), book)
    mirror = client.get_order_book(market["no"])
    tally.check("both outcomes have books", bool(book["bids"]) and bool(mirror["asks"]), None)


def test_keys(tally, host, client):
    from py_clob_client_v2.client import ClobClient
    from py_clob_client_v2.clob_types import ApiCreds

    derived = client.derive_api_key()
    tally.check("deriving gives the same key again", derived == client.creds, derived)
    stranger = ClobClient(host, 137, key=STRANGER)
    tally.refused("a wallet that the venue does not know gets no key", stranger.create_api_key, 401)
    forger = ClobClient(host, 137, key=STRANGER)
    forger.signer.address = client.signer.address
    tally.refused("a wrong wallet signature gets no key", forger.derive_api_key, 401)
    for name, creds in [
        ("API key", ApiCreds("0" * 36, client.creds.api_secret, client.creds.api_passphrase)),
        ("secret", ApiCreds(client.creds.api_key, "A" * 43 + "=", client.creds.api_passphrase)),
        ("passphrase", ApiCreds(client.creds.api_key, client.creds.api_secret, "0" * 64)),
    ]:
        wrong = ClobClient(host, 137, key=WALLETS[0][0], creds=creds)
        tally.refused(f"a wrong {name} is refused", wrong.get_open_orders, 401)


def order_arguments(token, price, size, side, **more):
    from py_clob_client_v2.clob_types import OrderArgs

    return OrderArgs(token_id=token, price=price, size=size, side=side, **more)


def test_resting_order(tally, client, token):
    placed = client.create_and_post_order(order_arguments(token, 0.02, 10, "BUY"))
    tally.check("an order rests", placed["success"] and placed["status"] == "live", placed)
    found = client.get_order(placed["orderID"])
    tally.check("it is told", found["status"] == "LIVE" and found["original_size"] == "10", found)
    tally.check("it is listed", [o["id"] for o in client.get_open_orders()] == [placed["orderID"]], None)
    from py_clob_client_v2.clob_types import OrderPayload

    gone = client.cancel_order(OrderPayload(orderID=placed["orderID"]))
    tally.check("it is cancelled", gone["canceled"] == [placed["orderID"]] and not gone["not_canceled"], gone)
    again = client.cancel_order(OrderPayload(orderID=placed["orderID"]))
    tally.check("a second cancel cancels nothing", not again["canceled"] and placed["orderID"] in again["not_canceled"], again)
    tally.check("its end is told", client.get_order(placed["orderID"])["status"] == "CANCELED", None)


def test_batch(tally, client, market):
    from py_clob_client_v2.clob_types import OrderMarketCancelParams, OrderType, PostOrdersV2Args

    def batch(count):
        return client.post_orders([
            PostOrdersV2Args(client.create_order(order_arguments(market["yes"], 0.01 + 0.01 * i, 6, "BUY")), OrderType.GTC)
            for i in range(count)])

    placed = batch(15)
    ids = [answer["orderID"] for answer in placed]
    tally.check("a batch of fifteen rests", all(answer["status"] == "live" for answer in placed), placed)
    tally.refused("a batch of sixteen is refused", lambda: batch(16), 400, "Too many orders")
    gone = client.cancel_orders(ids[:5])
    tally.check("five are cancelled by their ids", sorted(gone["canceled"]) == sorted(ids[:5]), gone)
    gone = client.cancel_market_orders(OrderMarketCancelParams(asset_id=market["no"]))
    tally.check("there are none of the other token", gone["canceled"] == [], gone)
    gone = client.cancel_market_orders(OrderMarketCancelParams(market=market["market"]))
    tally.check("the rest by their market", sorted(gone["canceled"]) == sorted(ids[5:]), gone)


def test_refusals(tally, client, token):
    from dataclasses import replace

    from py_clob_client_v2.clob_types import OrderType, PartialCreateOrderOptions

    order = client.create_order(order_arguments(token, 0.02, 10, "BUY"))
    forged = replace(order, signature="0x" + "12" * 64 + "1b")
    tally.refused("a wrong order signature is refused", lambda: client.post_order(forged), 400, "invalid signature")
    changed = replace(order, makerAmount="190000")
    tally.refused("a changed order is refused", lambda: client.post_order(changed), 400, "invalid signature")
    other = client.create_order(order_arguments(token, 0.02, 10, "BUY"), PartialCreateOrderOptions(version=3))
    tally.refused(
        "an order for another version is refused", lambda: client.post_order(other), 400, "order_version_mismatch")
    client.post_order(order)
    tally.refused("the same order again is refused", lambda: client.post_order(order), 400, "Duplicated")
    client.cancel_all()
    small = client.create_order(order_arguments(token, 0.02, 4, "BUY"))
    tally.refused("a small order is refused", lambda: client.post_order(small), 400, "lower than the minimum")
    rich = client.create_order(order_arguments(token, 0.5, 10_000_000, "BUY"))
    tally.refused("an order beyond the balance is refused", lambda: client.post_order(rich), 400, "not enough balance")
    bare = client.create_order(order_arguments(token, 0.9, 1_000_000, "SELL"))
    tally.refused("selling what is not there is refused", lambda: client.post_order(bare), 400, "not enough balance")
    crossing = client.create_order(order_arguments(token, 0.98, 10, "BUY"))
    tally.refused(
        "a post-only order that crosses is refused",
        lambda: client.post_order(crossing, OrderType.GTC, post_only=True), 400, "order crosses book")
    soon = client.create_order(order_arguments(token, 0.02, 10, "BUY", expiration=int(time.time()) + 30))
    tally.refused("an expiry too near is refused", lambda: client.post_order(soon, OrderType.GTD), 400, "expiration")


def test_trades(tally, client, token, name):
    from py_clob_client_v2.clob_types import (
        AssetType, BalanceAllowanceParams, MarketOrderArgs, OrderType, TradeParams)
    from py_clob_client_v2.exceptions import PolyApiException

    def held():
        answer = client.get_balance_allowance(BalanceAllowanceParams(AssetType.CONDITIONAL, token))
        return int(answer["balance"])

    before = held()
    bought = None
    for _ in range(20):
        try:
            bought = client.create_and_post_market_order(
                MarketOrderArgs(token_id=token, amount=20, side="BUY"), order_type=OrderType.FOK)
            break
        except PolyApiException as error:
            # The market moved between the client's look at the book and the order's arrival: killed, as it should be.
            if "fully filled" not in str(error):
                raise
    tally.check(f"{name}: a market order is filled", bought["status"] == "matched" and float(bought["takingAmount"]) > 0, bought)
    tally.check(f"{name}: its trades are mined", bool(bought["transactionsHashes"]), bought)
    grown = held() - before
    tally.check(f"{name}: the tokens are there", grown == round(float(bought["takingAmount"]) * 1e6), (grown, bought))
    for trade in bought["tradeIDs"]:
        seen = client.get_trades(TradeParams(id=trade))
        tally.check(
            f"{name}: its trade is told",
            len(seen) == 1 and seen[0]["taker_order_id"] == bought["orderID"] and seen[0]["trader_side"] == "TAKER", seen)
        done = until(lambda: client.get_trades(TradeParams(id=trade))[0]["status"] == "CONFIRMED")
        tally.check(f"{name}: and is confirmed", done, client.get_trades(TradeParams(id=trade)))
    sold = client.create_and_post_market_order(
        MarketOrderArgs(token_id=token, amount=5, side="SELL"), order_type=OrderType.FAK)
    tally.check(f"{name}: tokens are sold", sold["status"] == "matched" and float(sold["makingAmount"]) > 0, sold)


def test_maker_fill(tally, client, token):
    """Quotes at the bid until the market's participants sell into it."""
    from py_clob_client_v2.clob_types import OrderPayload, OrderType

    for _ in range(40):
        price = float(client.get_order_book(token)["bids"][-1]["price"])
        try:
            placed = client.post_order(
                client.create_order(order_arguments(token, price, 6, "BUY")), OrderType.GTC, post_only=True)
        except Exception:
            continue
        filled = until(lambda: client.get_order(placed["orderID"])["status"] == "MATCHED", seconds=2)
        if filled:
            break
        client.cancel_order(OrderPayload(orderID=placed["orderID"]))
    order = client.get_order(placed["orderID"])
    tally.check("a resting order is filled by the market", order["size_matched"] == "6", order)
    trades = [trade for trade in client.get_trades() if trade["id"] in order["associate_trades"]]
    parts = [m for trade in trades for m in trade["maker_orders"] if m["order_id"] == order["id"]]
    total = sum(float(part["matched_amount"]) for part in parts)
    tally.check("its trades name it as maker", abs(total - 6) < 1e-9 and trades[0]["trader_side"] == "MAKER", trades)


def test_heartbeat(tally, client):
    first = client.post_heartbeat()
    second = client.post_heartbeat(first["heartbeat_id"])
    tally.check("heartbeats go on", second["heartbeat_id"] != first["heartbeat_id"], second)
    tally.refused(
        "an old heartbeat is refused and told the right one", lambda: client.post_heartbeat(first["heartbeat_id"]), 400,
        second["heartbeat_id"])


async def test_user_stream(tally, client, address, ca, token):
    import websockets

    context = ssl.create_default_context(cafile=ca) if address.startswith("wss") else None
    loop = asyncio.get_running_loop()
    async with websockets.connect(address, ssl=context) as stream:
        creds = client.creds
        await stream.send(json.dumps({
            "auth": {"apiKey": creds.api_key, "secret": creds.api_secret, "passphrase": creds.api_passphrase},
            "markets": [], "type": "user"}))
        await stream.send("PING")
        tally.check("the user stream answers PING", await asyncio.wait_for(stream.recv(), 10) == "PONG", None)
        placed = await loop.run_in_executor(
            None, lambda: client.create_and_post_order(order_arguments(token, 0.02, 10, "BUY")))
        event = json.loads(await asyncio.wait_for(stream.recv(), 10))
        tally.check(
            "the placement is told", event["event_type"] == "order" and event["type"] == "PLACEMENT"
            and event["id"] == placed["orderID"], event)
        await loop.run_in_executor(None, client.cancel_all)
        event = json.loads(await asyncio.wait_for(stream.recv(), 10))
        tally.check("and the cancellation", event["type"] == "CANCELLATION" and event["id"] == placed["orderID"], event)
    async with websockets.connect(address, ssl=context) as stream:
        await stream.send(json.dumps({
            "auth": {"apiKey": creds.api_key, "secret": "wrong", "passphrase": creds.api_passphrase}, "type": "user"}))
        try:
            tally.check("a wrong secret hears nothing", False, await asyncio.wait_for(stream.recv(), 10))
        except websockets.ConnectionClosed as closed:
            tally.check("a wrong secret hears nothing", closed.rcvd is not None and closed.rcvd.code == 1008, closed)


def run(tally, host, stream, ca, market):
    client = make_client(host, WALLETS[0])
    test_metadata(tally, client, market)
    test_keys(tally, host, client)
    test_resting_order(tally, client, market["yes"])
    test_batch(tally, client, market)
    test_refusals(tally, client, market["yes"])
    for wallet in WALLETS:
        test_trades(tally, make_client(host, wallet), market["no" if wallet[1] % 2 else "yes"], f"type {wallet[1]}")
    test_maker_fill(tally, client, market["yes"])
    # Of a wallet that leaves nothing open: when its heartbeats stop, its orders are cancelled.
    test_heartbeat(tally, make_client(host, WALLETS[3]))
    asyncio.run(test_user_stream(tally, client, stream + "/ws/user", ca, market["yes"]))


def main():
    arguments = parse_arguments()
    enter_environment(arguments)
    with open(arguments.venue) as file:
        venue_started = json.loads(file.readline())
    tally = Tally()
    for letter, port in (("", venue_started["port"]), ("s", venue_started["tls_port"])):
        if port is None or (letter and arguments.ca is None):
            continue
        print(f"-- {'TLS' if letter else 'plain'}")
        try:
            run(
                tally, f"http{letter}://127.0.0.1:{port}", f"ws{letter}://127.0.0.1:{port}", arguments.ca,
                venue_started["instruments"][0])
        except Exception as error:  # one broken side must not hide the other's result
            tally.check(f"{'TLS' if letter else 'plain'} ran to its end", False, error)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
