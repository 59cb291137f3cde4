#!/usr/bin/env python3
"""Trades on a running loopback venue with Deriv's own Python client.

    deriv_client.py --venv DIR --port PLAIN [--tls-port TLS --ca PEM] [--account ID --token T] [--symbol 1HZ100V]

The client (python-deriv-api) is taken from the virtual environment DIR, which is made when it does not exist. It speaks
the older API alone; the first connection of the current one is checked with the same WebSocket library. Prints
`N passed, N failed` and exits 1 when anything failed.
"""
import argparse
import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import venv

PACKAGE = "python-deriv-api==0.1.6"
# The client pins websockets 10.3, and reactivex by its minor version alone.
PINNED = ["reactivex==4.0.4"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", required=True, help="virtual environment with the client; made when missing")
    parser.add_argument("--port", type=int, help="plain port of the venue")
    parser.add_argument("--tls-port", type=int, help="TLS port of the venue")
    parser.add_argument("--ca", help="PEM of the venue's certificate authority")
    parser.add_argument("--account", default="VRTC90000001")
    parser.add_argument("--token", default="apus-deriv-token-1")
    parser.add_argument("--symbol", default="1HZ100V")
    arguments = parser.parse_args()
    if arguments.port is None and arguments.tls_port is None:
        parser.error("--port or --tls-port is needed")
    if arguments.tls_port is not None and arguments.ca is None:
        parser.error("--tls-port needs --ca")
    return arguments


def enter_environment(arguments):
    """Makes the environment when it is missing and continues in its interpreter."""
    path = os.path.abspath(arguments.venv)
    python = os.path.join(path, "bin", "python")
    if os.path.abspath(sys.prefix) == path:
        return
    if not os.path.exists(python):
        venv.create(path, with_pip=True)
    found = subprocess.run([python, "-c", "import deriv_api"], stderr=subprocess.DEVNULL)
    if found.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE, *PINNED], check=True)
    if arguments.ca is not None:
        # The client takes no certificate; OpenSSL's own variable is the door to what it trusts.
        os.environ["SSL_CERT_FILE"] = os.path.abspath(arguments.ca)
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


class Stream:
    """Collects the messages of a subscription and lets a test wait for one."""

    def __init__(self, source):
        self.messages = []
        self.arrived = asyncio.Event()
        source.subscribe(self.add, lambda error: self.add({"error": str(error)}))

    def add(self, message):
        self.messages.append(message)
        self.arrived.set()

    async def until(self, condition, seconds=30):
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


def make_client(arguments, tls):
    from deriv_api import DerivAPI

    port = arguments.tls_port if tls else arguments.port
    return DerivAPI(endpoint=f"ws{'s' if tls else ''}://127.0.0.1:{port}", app_id=1089)


async def refusal(call):
    """The venue's code when it refuses, None when it does not."""
    from deriv_api import ResponseError

    try:
        await asyncio.wait_for(call, 10)
    except ResponseError as error:
        return error.code
    return None


async def test_access(tally, arguments, tls):
    stranger = make_client(arguments, tls)
    code = await refusal(stranger.authorize("a-wrong-token"))
    tally.check("a wrong token is refused", code == "InvalidToken", code)
    code = await refusal(stranger.balance())
    tally.check("without a token there is no balance", code == "AuthorizationRequired", code)
    code = await refusal(stranger.buy({"buy": "1", "price": 1}))
    tally.check("and no purchase", code == "AuthorizationRequired", code)
    await stranger.disconnect()


async def test_market(tally, api, symbol):
    pong = await api.ping({"ping": 1})
    tally.check("ping is answered", pong["ping"] == "pong", pong)
    listed = await api.active_symbols({"active_symbols": "brief", "product_type": "basic"})
    tally.check("the symbol is listed", symbol in [row["symbol"] for row in listed["active_symbols"]], listed)
    offers = await api.contracts_for({"contracts_for": symbol})
    kinds = {row["contract_type"] for row in offers["contracts_for"]["available"]}
    tally.check("rises and falls are offered", {"CALL", "PUT"} <= kinds, kinds)
    history = await api.ticks_history({"ticks_history": symbol, "end": "latest", "count": 10})
    tally.check("history has ten quotes", len(history["history"]["prices"]) == 10, history)
    ticks = Stream(await api.subscribe({"ticks": symbol}))
    arrived = await ticks.until(lambda: len(ticks.messages) >= 3)
    epochs = [message["tick"]["epoch"] for message in ticks.messages]
    steps = {later - earlier for earlier, later in zip(epochs, epochs[1:])}
    tally.check("quotes come each second", arrived and steps == {1}, epochs)
    ended = await api.forget(ticks.messages[0]["subscription"]["id"])
    tally.check("the stream is forgotten", ended["forget"] == 1, ended)


async def propose(api, symbol, kind="CALL", duration=5, unit="t"):
    answer = await api.proposal({
        "proposal": 1, "amount": 10, "basis": "stake", "contract_type": kind, "currency": "USD",
        "duration": duration, "duration_unit": unit, "symbol": symbol})
    return answer["proposal"]


async def test_settlement(tally, api, symbol):
    before = (await api.balance())["balance"]["balance"]
    proposal = await propose(api, symbol)
    tally.check("a stake of 10 is priced at 10", proposal["ask_price"] == 10 and proposal["payout"] > 10, proposal)
    refused = await refusal(api.buy({"buy": (await propose(api, symbol))["id"], "price": 9}))
    tally.check("a limit below the price is refused", refused == "PriceMoved", refused)
    bought = (await api.buy({"buy": proposal["id"], "price": 10}))["buy"]
    tally.check("the purchase costs the stake", bought["balance_after"] == round(before - 10, 2), bought)
    again = await refusal(api.buy({"buy": proposal["id"], "price": 10}))
    tally.check("the proposal buys once", again == "InvalidContractProposal", again)
    listed = (await api.portfolio())["portfolio"]["contracts"]
    tally.check("the portfolio has it", [row["contract_id"] for row in listed] == [bought["contract_id"]], listed)
    stream = Stream(await api.subscribe(
        {"proposal_open_contract": 1, "contract_id": bought["contract_id"]}))

    def end():
        return stream.messages and stream.messages[-1].get("proposal_open_contract", {}).get("is_sold") == 1

    arrived = await stream.until(end)
    last = stream.messages[-1].get("proposal_open_contract", {}) if stream.messages else {}
    tally.check("it is followed to its end", arrived and last.get("status") in ("won", "lost"), last)
    won = last.get("status") == "won"
    rose = last.get("exit_tick", 0) > last.get("entry_spot", 0)
    tally.check("the quotes say the same as the status", won == rose, last)
    after = (await api.balance())["balance"]["balance"]
    due = round(before - 10 + (bought["payout"] if won else 0), 2)
    tally.check("the balance moved by exactly that", after == due, (before, after, last))
    ended = (await api.profit_table({"profit_table": 1, "description": 1, "limit": 5}))["profit_table"]["transactions"]
    tally.check("the history has it", ended and ended[0]["contract_id"] == bought["contract_id"], ended)
    moved = (await api.statement({"statement": 1, "limit": 2}))["statement"]["transactions"]
    tally.check("the statement has both movements", [row["action_type"] for row in moved] == ["sell", "buy"], moved)


async def test_sale(tally, api, symbol):
    proposal = await propose(api, symbol, kind="PUT", duration=5, unit="m")
    bought = (await api.buy({"buy": proposal["id"], "price": 10}))["buy"]
    question = {"proposal_open_contract": 1, "contract_id": bought["contract_id"]}
    stream = Stream(await api.subscribe(question))

    def can_sell():
        return stream.messages and stream.messages[-1]["proposal_open_contract"].get("is_valid_to_sell") == 1

    arrived = await stream.until(can_sell)
    tally.check("it can be sold after its entry", arrived, stream.messages[-1:])
    refused = await refusal(api.sell({"sell": bought["contract_id"], "price": 19}))
    tally.check("a limit above the bid is refused", refused == "PriceMoved", refused)
    sold = (await api.sell({"sell": bought["contract_id"], "price": 0}))["sell"]
    fields = {"balance_after", "contract_id", "reference_id", "sold_for", "transaction_id"}
    tally.check("it is sold", set(sold) == fields and 0 < sold["sold_for"] < bought["payout"], sold)
    tally.check("the sale names the purchase", sold["reference_id"] == bought["transaction_id"], sold)
    again = await refusal(api.sell({"sell": bought["contract_id"], "price": 0}))
    tally.check("it is sold once", again == "NoOpenPosition", again)
    balance = (await api.balance())["balance"]["balance"]
    tally.check("the balance has it", balance == sold["balance_after"], (balance, sold))
    listed = (await api.portfolio())["portfolio"]["contracts"]
    tally.check("the portfolio is empty", listed == [], listed)


async def test_current_api(tally, arguments, tls):
    """The first steps of the current API: a one-time address, and a purchase on it."""
    import websockets

    port = arguments.tls_port if tls else arguments.port
    address = f"http{'s' if tls else ''}://127.0.0.1:{port}/trading/v1/options/accounts/{arguments.account}/otp"

    def ask(token):
        request = urllib.request.Request(
            address, method="POST", headers={"Authorization": f"Bearer {token}", "Deriv-App-ID": "1089"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    status, body = await asyncio.to_thread(ask, "a-wrong-token")
    tally.check("REST refuses a wrong token", status == 401 and body["errors"][0]["status"] == 401, body)
    status, body = await asyncio.to_thread(ask, arguments.token)
    url = body.get("data", {}).get("url", "")
    tally.check("REST gives a one-time address", status == 200 and f"127.0.0.1:{port}" in url, body)
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({
            "buy": "1", "price": 10, "req_id": 1, "parameters": {
                "amount": 10, "basis": "stake", "contract_type": "DIGITEVEN", "currency": "USD", "duration": 1,
                "duration_unit": "t", "underlying_symbol": arguments.symbol}}))
        answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
        tally.check("it trades without an authorize", isinstance(answer.get("buy", {}).get("payout"), str), answer)
    try:
        async with websockets.connect(url):
            tally.check("the address opens once", False)
    except websockets.exceptions.InvalidStatusCode as error:
        tally.check("the address opens once", error.status_code == 401, error)


async def run(arguments, tls, tally):
    print(f"-- {'TLS' if tls else 'plain'}")
    await test_access(tally, arguments, tls)
    api = make_client(arguments, tls)
    authorized = await api.authorize(arguments.token)
    tally.check("the token is taken", authorized["authorize"]["loginid"] == arguments.account, authorized)
    await test_market(tally, api, arguments.symbol)
    await test_settlement(tally, api, arguments.symbol)
    await test_sale(tally, api, arguments.symbol)
    await api.disconnect()
    await test_current_api(tally, arguments, tls)


def main():
    arguments = parse_arguments()
    enter_environment(arguments)
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
