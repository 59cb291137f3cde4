#!/usr/bin/env python3
"""Trades on a running loopback venue with the real venue's official Python client.

    venue_client.py --venv DIR --port PLAIN [--tls-port TLS --ca PEM] [--api-key K --secret S] [--symbol BTCUSDT]
                    [--ed25519-key K --ed25519-pem PRIVATE --stranger-pem PRIVATE]

The client (binance-sdk-derivatives-trading-usds-futures) is taken from the virtual environment DIR, which is made
when it does not exist. Prints `N passed, N failed` and exits 1 when anything failed.
"""
import argparse
import asyncio
import os
import ssl
import subprocess
import sys
import venv

PACKAGE = "binance-sdk-derivatives-trading-usds-futures==17.0.0"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", required=True, help="virtual environment with the client; made when missing")
    parser.add_argument("--port", type=int, help="plain port of the venue")
    parser.add_argument("--tls-port", type=int, help="TLS port of the venue")
    parser.add_argument("--ca", help="PEM of the venue's certificate authority")
    parser.add_argument("--api-key", default="apus-key-1")
    parser.add_argument("--secret", default="apus-secret-1")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--ed25519-key", help="API key of an account that signs with Ed25519")
    parser.add_argument("--ed25519-pem", help="file of its private key")
    parser.add_argument("--stranger-pem", help="file of another private key, which the venue must refuse")
    arguments = parser.parse_args()
    if arguments.port is None and arguments.tls_port is None:
        parser.error("--port or --tls-port is needed")
    if arguments.tls_port is not None and arguments.ca is None:
        parser.error("--tls-port needs --ca")
    return arguments


def enter_environment(path):
    """Makes the environment when it is missing and continues in its interpreter."""
    path = os.path.abspath(path)
    python = os.path.join(path, "bin", "python")
    if os.path.abspath(sys.prefix) == path:
        return
    if not os.path.exists(python):
        venv.create(path, with_pip=True)
    found = subprocess.run(
        [python, "-c", "import binance_sdk_derivatives_trading_usds_futures"], stderr=subprocess.DEVNULL
    )
    if found.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])


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


class UserEvents:
    """Collects order events and lets a test wait for one."""

    def __init__(self):
        self.events = []
        self.arrived = asyncio.Event()

    def add(self, event):
        event = getattr(event, "actual_instance", None) or event
        if not isinstance(event, dict):
            event = event.to_dict()
        self.events.append(event)
        self.arrived.set()

    def of_order(self, client_id):
        return [
            event["o"] for event in self.events
            if event.get("e") == "ORDER_TRADE_UPDATE" and event["o"]["c"] == client_id
        ]

    async def until(self, condition, seconds=10):
        """Waits until the condition holds; false when it does not within the time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            self.arrived.clear()
            try:
                await asyncio.wait_for(self.arrived.wait(), left)
            except asyncio.TimeoutError:
                return condition()
        return True


class Session:
    """One client with all its interfaces, over plain connections or TLS."""

    def __init__(self, arguments, tls, secret=None, key=None, pem=None):
        from binance_common.configuration import (
            ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams)
        from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
            DerivativesTradingUsdsFutures)

        port = arguments.tls_port if tls else arguments.port
        letter = "s" if tls else ""
        agent = ssl.create_default_context(cafile=arguments.ca) if tls else None
        key = key or arguments.api_key
        # With a private key the client signs by that.
        signing = {"private_key": pem} if pem else {"api_secret": secret or arguments.secret}
        self.client = DerivativesTradingUsdsFutures(
            config_rest_api=ConfigurationRestAPI(
                api_key=key, base_path=f"http{letter}://127.0.0.1:{port}", https_agent=agent, retries=1, timeout=5000,
                **signing),
            config_ws_api=ConfigurationWebSocketAPI(
                api_key=key, https_agent=agent or True, stream_url=f"ws{letter}://127.0.0.1:{port}/ws-fapi/v1",
                **signing),
            config_ws_streams=ConfigurationWebSocketStreams(
                https_agent=agent or True, stream_url=f"ws{letter}://127.0.0.1:{port}"),
        )
        self.rest = self.client.rest_api


def plain(model):
    """The client's models as dictionaries."""
    if isinstance(model, list):
        return [plain(item) for item in model]
    inner = getattr(model, "actual_instance", None)
    if inner is not None:
        return plain(inner)
    return model.to_dict() if hasattr(model, "to_dict") else model


def test_metadata(tally, session, symbol):
    info = plain(session.rest.exchange_information().data())
    found = [entry for entry in info["symbols"] if entry["symbol"] == symbol]
    tally.check("exchangeInfo lists the symbol", len(found) == 1, info.get("symbols"))
    filters = {entry["filterType"]: entry for entry in found[0]["filters"]}
    wanted = {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE"}
    tally.check("exchangeInfo has the filters", wanted <= set(filters), sorted(filters))
    server_time = plain(session.rest.check_server_time().data())
    tally.check("time is a number of milliseconds", server_time["serverTime"] > 1_600_000_000_000, server_time)
    book = plain(session.rest.order_book(symbol=symbol, limit=20).data())
    bids, asks = book["bids"], book["asks"]
    tally.check("depth has twenty levels a side", len(bids) == 20 and len(asks) == 20, (len(bids), len(asks)))
    tally.check("depth is not crossed", float(bids[0][0]) < float(asks[0][0]), (bids[0], asks[0]))
    tick = float(filters["PRICE_FILTER"]["tickSize"])
    return float(bids[0][0]), float(asks[0][0]), tick


def check_refusal(tally, name, session, words):
    from binance_common.errors import ClientError, UnauthorizedError, BadRequestError

    try:
        answer = session.rest.current_all_open_orders()
        tally.check(name, False, answer)
    except (BadRequestError, UnauthorizedError, ClientError) as error:
        tally.check(name, any(word in repr(vars(error)) + str(error) for word in words), error)


def test_wrong_signature(tally, arguments, tls):
    stranger = Session(arguments, tls, secret="not-the-secret")
    check_refusal(tally, "REST refuses a wrong signature", stranger, ["-1022", "ignature"])
    nobody = Session(arguments, tls, key="not-a-key")
    check_refusal(tally, "REST refuses a wrong key", nobody, ["-2015", "API-key"])
    return stranger


async def test_wrong_key_on_socket(tally, arguments, tls, symbol):
    nobody = Session(arguments, tls, key="not-a-key")
    connection = await nobody.client.websocket_api.create_connection()
    answer = await connection.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=50000.0)
    error = plain(answer.data()).get("error")
    tally.check("the WebSocket API refuses a wrong key", bool(error) and error["code"] == -2015, error)
    await connection.close_connection()


async def test_ed25519(tally, arguments, tls, symbol, bid):
    """An account whose key signs with Ed25519: places, sees its event, cancels; another private key is refused."""
    session = Session(arguments, tls, key=arguments.ed25519_key, pem=arguments.ed25519_pem)
    stranger = Session(arguments, tls, key=arguments.ed25519_key, pem=arguments.stranger_pem)
    hmac = Session(arguments, tls, key=arguments.ed25519_key)
    check_refusal(tally, "REST refuses another private key", stranger, ["-1022", "ignature"])
    check_refusal(tally, "REST refuses a secret in its place", hmac, ["-1022", "ignature"])
    await test_wrong_signature_on_socket(tally, stranger, symbol)
    away = round(bid * 0.98, 0)
    placed = plain(session.rest.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=away,
        new_client_order_id="ed-1").data())
    tally.check("REST takes an Ed25519 order", placed["status"] == "NEW", placed)
    cancelled = plain(session.rest.cancel_order(symbol=symbol, orig_client_order_id="ed-1").data())
    tally.check("REST cancels it", cancelled["status"] == "CANCELED", cancelled)
    events = UserEvents()
    api, streams, _ = await open_user_stream(session, events)
    answer = plain((await api.new_order(
        symbol=symbol, side="BUY", type="MARKET", quantity=0.01, new_client_order_id="ed-2")).data())
    tally.check("the WebSocket API takes an Ed25519 order", answer.get("status") == 200, answer)
    filled = await events.until(lambda: any(event["X"] == "FILLED" for event in events.of_order("ed-2")))
    tally.check("its fill shows on the user stream", filled, events.of_order("ed-2"))
    await api.close_connection()
    await streams.close_connection()


async def test_wrong_signature_on_socket(tally, stranger, symbol):
    connection = await stranger.client.websocket_api.create_connection()
    answer = await connection.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=50000.0)
    error = plain(answer.data()).get("error")
    tally.check("the WebSocket API refuses a wrong signature", bool(error) and error["code"] == -1022, error)
    await connection.close_connection()


def test_rest_orders(tally, session, symbol, bid):
    away = round(bid * 0.98, 0)
    placed = plain(session.rest.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=away,
        new_client_order_id="rest-1").data())
    tally.check("REST places an order", placed["status"] == "NEW" and placed["clientOrderId"] == "rest-1", placed)
    changed = plain(session.rest.modify_order(
        symbol=symbol, side="BUY", quantity=0.02, price=away, orig_client_order_id="rest-1").data())
    tally.check("REST changes it", changed["origQty"] == "0.020", changed)
    listed = plain(session.rest.current_all_open_orders(symbol=symbol).data())
    tally.check("REST lists it", [entry["clientOrderId"] for entry in listed] == ["rest-1"], listed)
    cancelled = plain(session.rest.cancel_order(symbol=symbol, orig_client_order_id="rest-1").data())
    tally.check("REST cancels it", cancelled["status"] == "CANCELED", cancelled)
    asked = plain(session.rest.query_order(symbol=symbol, orig_client_order_id="rest-1").data())
    tally.check("REST tells its end", asked["status"] == "CANCELED", asked)


async def open_user_stream(session, events):
    api = await session.client.websocket_api.create_connection()
    started = plain((await api.start_user_data_stream()).data())
    key = started["result"]["listenKey"]
    streams = await session.client.websocket_streams.create_connection()
    handle = await streams.user_data(key)
    handle.on("message", events.add)
    # The subscription is answered before anything later on the same connection; asking for the list waits for it.
    while key not in await subscriptions(streams):
        pass
    return api, streams, key


async def subscriptions(streams):
    names = []
    for connection in streams.connections:
        future = await streams.send_message({"method": "LIST_SUBSCRIPTIONS", "id": os.urandom(8).hex()}, connection)
        names += (await asyncio.wait_for(future, 10))["result"]
    return names


async def test_socket_orders(tally, api, events, symbol, bid, tick):
    away = round(bid * 0.98, 0)
    placed = plain((await api.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTX", quantity=0.01, price=away,
        new_client_order_id="ws-1")).data())
    tally.check("the WebSocket API places an order", placed.get("result", {}).get("status") == "NEW", placed)
    arrived = await events.until(lambda: len(events.of_order("ws-1")) >= 1)
    seen = events.of_order("ws-1")
    tally.check("its NEW event comes", arrived and seen[0]["x"] == "NEW" and seen[0]["X"] == "NEW", seen)
    changed = plain((await api.modify_order(
        symbol=symbol, side="BUY", quantity=0.02, price=away - 10 * tick, orig_client_order_id="ws-1")).data())
    tally.check("it is changed", changed.get("result", {}).get("origQty") == "0.020", changed)
    status = plain((await api.query_order(symbol=symbol, orig_client_order_id="ws-1")).data())
    tally.check("its status is told", status.get("result", {}).get("status") == "NEW", status)
    again = plain((await api.new_order(
        symbol=symbol, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=away,
        new_client_order_id="ws-1")).data())
    tally.check("a duplicate client id is refused", again.get("error", {}).get("code") == -4116, again)
    cancelled = plain((await api.cancel_order(symbol=symbol, orig_client_order_id="ws-1")).data())
    tally.check("it is cancelled", cancelled.get("result", {}).get("status") == "CANCELED", cancelled)
    await events.until(lambda: len(events.of_order("ws-1")) >= 3)
    kinds = [event["x"] for event in events.of_order("ws-1")]
    tally.check("its events came once and in order", kinds == ["NEW", "AMENDMENT", "CANCELED"], kinds)
    gone = plain((await api.cancel_order(symbol=symbol, orig_client_order_id="ws-1")).data())
    tally.check("a second cancel is refused", gone.get("error", {}).get("code") == -2011, gone)


async def test_fills(tally, session, api, events, symbol):
    market = plain((await api.new_order(
        symbol=symbol, side="BUY", type="MARKET", quantity=0.01, new_client_order_id="ws-market")).data())
    tally.check("a market order is taken", market.get("result", {}).get("status") == "NEW", market)

    def is_done(client_id):
        seen = events.of_order(client_id)
        return bool(seen) and seen[-1]["X"] in ("FILLED", "EXPIRED")

    await events.until(lambda: is_done("ws-market"))
    seen = events.of_order("ws-market")
    trades = [event for event in seen if event["x"] == "TRADE"]
    total = sum(float(event["l"]) for event in trades)
    tally.check("it is filled", bool(seen) and seen[-1]["X"] == "FILLED" and abs(total - 0.01) < 1e-9, seen)
    tally.check("it was the taker and paid a fee", all(not e["m"] and float(e["n"]) > 0 for e in trades), trades)
    accounts = [event for event in events.events if event.get("e") == "ACCOUNT_UPDATE"]
    tally.check("the account update tells the position",
                bool(accounts) and abs(float(accounts[-1]["a"]["P"][0]["pa"]) - 0.01) < 1e-9, accounts[-1:])
    held = plain((await api.position_information_v2(symbol=symbol)).data())["result"]
    tally.check("the position is told", abs(float(held[0]["positionAmt"]) - 0.01) < 1e-9, held)
    await test_maker_fill(tally, session, api, events, symbol, is_done)


async def test_maker_fill(tally, session, api, events, symbol, is_done):
    """Quotes at the ask until the market's participants take it: a fill as maker that closes the position."""
    for attempt in range(40):
        book = plain(session.rest.order_book(symbol=symbol, limit=5).data())
        name = f"ws-maker-{attempt}"
        answer = plain((await api.new_order(
            symbol=symbol, side="SELL", type="LIMIT", time_in_force="GTX", quantity=0.01, reduce_only="true",
            price=float(book["asks"][0][0]), new_client_order_id=name)).data())
        if answer.get("error"):
            continue
        if await events.until(lambda: is_done(name), seconds=1):
            break
        await api.cancel_order(symbol=symbol, orig_client_order_id=name)
        if await events.until(lambda: is_done(name), seconds=0.2):
            break
    trades = [event for event in events.of_order(name) if event["x"] == "TRADE"]
    tally.check("a resting order is filled by the market", bool(trades) and all(event["m"] for event in trades), trades)
    held = plain((await api.position_information_v2(symbol=symbol)).data())["result"]
    tally.check("the position is closed", bool(held) and float(held[0]["positionAmt"]) == 0, held)


async def test_market_stream(tally, streams, symbol):
    seen = []
    arrived = asyncio.Event()

    def add(event):
        seen.append(plain(event))
        if len(seen) >= 5:
            arrived.set()

    handle = await streams.diff_book_depth_streams(symbol=symbol.lower(), update_speed="100ms")
    handle.on("message", add)
    try:
        await asyncio.wait_for(arrived.wait(), 15)
    except asyncio.TimeoutError:
        pass
    linked = all(later["pu"] == earlier["u"] for earlier, later in zip(seen, seen[1:]))
    tally.check("depth events come and link up", len(seen) >= 5 and linked, seen[:2])
    await handle.unsubscribe()


async def run(arguments, tls, tally):
    print(f"-- {'TLS' if tls else 'plain'}")
    session = Session(arguments, tls)
    bid, _, tick = test_metadata(tally, session, arguments.symbol)
    stranger = test_wrong_signature(tally, arguments, tls)
    await test_wrong_signature_on_socket(tally, stranger, arguments.symbol)
    await test_wrong_key_on_socket(tally, arguments, tls, arguments.symbol)
    test_rest_orders(tally, session, arguments.symbol, bid)
    events = UserEvents()
    api, streams, _ = await open_user_stream(session, events)
    await test_socket_orders(tally, api, events, arguments.symbol, bid, tick)
    await test_fills(tally, session, api, events, arguments.symbol)
    await test_market_stream(tally, streams, arguments.symbol)
    await api.close_connection()
    await streams.close_connection()
    if arguments.ed25519_key:
        await test_ed25519(tally, arguments, tls, arguments.symbol, bid)


def main():
    arguments = parse_arguments()
    enter_environment(arguments.venv)
    tally = Tally()
    for tls, port in ((False, arguments.port), (True, arguments.tls_port)):
        if port is None:
            continue
        try:
            asyncio.run(run(arguments, tls, tally))
        except Exception as error:  # one broken side must not hide the other's result
            tally.check(f"{'TLS' if tls else 'plain'} ran to its end", False, error)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
