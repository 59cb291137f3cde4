#!/usr/bin/env bash
# Runs the Autobahn suite against the engine's WebSocket client and judges the report.
#
#   Tests/Autobahn/run.sh DIR [SHARED]
#
# DIR keeps the suite (made at the first run, from PyPI) and the report. SHARED is the folder with tools/autobahn, by default
# ../shared beside this repository. The client is $APUS_AUTOBAHN where that is set, else it is built here.
# Fails on FAILED, UNCLEAN and NON-STRICT cases, on more than three INFORMATIONAL ones, and on fewer than 301 cases.
set -euo pipefail

usage="usage: run.sh DIR [SHARED]"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "${1:?$usage}"
dir=$(cd "$1" && pwd)
shared=$(cd "${2:-$root/../shared}" && pwd) || { echo "run.sh: no folder ${2:-$root/../shared}; $usage" >&2; exit 2; }
tools=$shared/tools/autobahn

client=${APUS_AUTOBAHN:-}
if [ -z "$client" ]; then
    swift build --package-path "$root" -c release --product ApusAutobahn >&2
    client=$(swift build --package-path "$root" -c release --show-bin-path)/ApusAutobahn
fi

[ -x "$dir/suite/bin/wstest" ] || "$tools/setup.sh" "$dir/suite"

reports=$dir/reports
rm -rf "$reports"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$dir/server.json" <<END
{"url": "ws://127.0.0.1:$port", "outdir": "$reports", "cases": ["*"], "exclude-cases": ["12.*", "13.*"],
 "exclude-agent-cases": {}}
END

"$dir/suite/bin/wstest" -m fuzzingserver -s "$dir/server.json" -u 0 >"$dir/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { echo "run.sh: the server did not start:" >&2; cat "$dir/server.log" >&2; exit 1; }
    sleep 0.1
done

"$client" 127.0.0.1 "$port" apus
python3 "$tools/summary.py" "$reports" --min 301
python3 - "$reports/index.json" <<'END'
import json
import sys

cases = json.load(open(sys.argv[1], encoding="utf-8"))["apus"]
loose = [n for n, c in cases.items() if "NON-STRICT" in (c["behavior"], c["behaviorClose"])]
informational = [n for n, c in cases.items() if c["behavior"] == "INFORMATIONAL"]
if loose:
    sys.exit("Autobahn: not strict in " + " ".join(loose))
if len(informational) > 3:
    sys.exit("Autobahn: more than three informational cases: " + " ".join(informational))
print("Autobahn: %d cases passed, %d of them informational, none failed, unclean or non-strict"
      % (len(cases), len(informational)))
END
