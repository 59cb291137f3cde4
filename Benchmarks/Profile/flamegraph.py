#!/usr/bin/env python3
"""Draws a flame graph from what `perf script` prints, as one SVG file that needs nothing else.

    perf script --no-inline -F comm,tid,ip,sym,dso | flamegraph.py [--title TEXT] >flame.svg

Threads stand at the bottom, under them nothing but `all`; a frame stands on its caller, and is as wide as its share of the
samples. Swift names are demangled by `swift demangle` where it is to be found. The colour tells where code comes from.
"""
import argparse
import html
import os
import re
import shutil
import subprocess
import sys

WIDTH, ROW, MARGIN, FOOTER = 1400, 17, 8, 84
CHARACTER = 6.7  # pixels of the font
KINDS = {"c": "C of the program", "swift": "Swift", "library": "libraries", "kernel": "kernel", "thread": "threads"}

SAMPLE = re.compile(r"^\s*(?P<comm>\S.*?)\s+(?:\d+/)?\d+\s*$")
FRAME = re.compile(r"^\s+(?P<address>[0-9a-f]+)\s+(?P<symbol>.+?)(?:\+0x[0-9a-f]+)?\s+\((?P<file>[^()]*(?:\([^()]*\))?[^()]*)\)\s*$")


class Node:
    """A frame with the samples that passed through it."""

    def __init__(self, name, kind):
        self.name, self.kind, self.samples, self.children = name, kind, 0, {}

    def child(self, name, kind):
        node = self.children.get(name)
        if node is None:
            node = self.children[name] = Node(name, kind)
        return node


def parse(lines):
    """Yields thread and frames of each sample, outermost frame first; a frame is its symbol and the file that has it."""
    comm, frames = None, []
    for line in lines:
        if not line.strip():
            if comm is not None:
                yield comm, frames[::-1]
            comm, frames = None, []
        elif comm is None:
            found = SAMPLE.match(line)
            comm = found["comm"] if found else line.strip()
        else:
            found = FRAME.match(line)
            if found:
                frames.append((found["symbol"], found["file"]))
    if comm is not None:
        yield comm, frames[::-1]


def is_swift(symbol):
    return symbol.lstrip("_").startswith(("$s", "$S"))


def kind_of(symbol, file):
    if file.startswith("[kernel") or file.startswith("[guest.kernel") or file == "[vdso]" or file.endswith(".ko"):
        return "kernel"
    name = os.path.basename(file)
    if is_swift(symbol) or name.startswith("libswift") or name.startswith("lib_") or name.startswith("libFoundation"):
        return "swift"
    return "library" if ".so" in name or file.startswith("[") else "c"


def label(symbol, file):
    if symbol != "[unknown]":
        return symbol
    return "[kernel]" if file.startswith("[kernel") or not file else f"[{os.path.basename(file).strip('[]')}]"


def demangled(symbols):
    """The readable names of Swift symbols; others and those of a machine without Swift stay as they are."""
    wanted = sorted(filter(is_swift, symbols))
    if not wanted or shutil.which("swift") is None:
        return {}
    done = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(wanted), capture_output=True, text=True)
    names = done.stdout.splitlines()
    return dict(zip(wanted, names)) if done.returncode == 0 and len(names) == len(wanted) else {}


def fold(samples):
    """The tree of all samples."""
    samples = list(samples)
    names = demangled({symbol for _, frames in samples for symbol, _ in frames})
    root = Node("all", "thread")
    for comm, frames in samples:
        node = root.child(comm, "thread")
        root.samples += 1
        node.samples += 1
        for symbol, file in frames:
            node = node.child(label(names.get(symbol, symbol), file), kind_of(symbol, file))
            node.samples += 1
    return root


def depth(node):
    return 1 + max(map(depth, node.children.values()), default=0)


def draw(root, title, out):
    rows, total = depth(root), root.samples
    height = MARGIN + rows * ROW + FOOTER
    scale = WIDTH / total
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "flamegraph.js"), encoding="utf-8") as file:
        script = file.read()
    foot = MARGIN + rows * ROW  # what is said and searched stands below, where the graph begins
    legend = "".join(
        f'<g class="{kind}"><rect x="{12 + place * 150}" y="{foot + 62}" width="12" height="12"/>'
        f'<text x="{28 + place * 150}" y="{foot + 72}">{text}</text></g>'
        for place, (kind, text) in enumerate(KINDS.items()))
    out.write(f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" id="flame"
     data-total="{total}" data-width="{WIDTH}" data-character="{CHARACTER}">
<style>
#flame {{ background: #fdfdfb; font: 11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }}
#flame .title {{ font: bold 15px sans-serif; }}
.frame {{ cursor: pointer; }} .frame rect {{ stroke: #fdfdfb; stroke-width: 0.6; }}
.frame:hover rect {{ stroke: #000; }} .frame text {{ pointer-events: none; }}
.c rect {{ fill: #f2a65a; }} .swift rect {{ fill: #f2705a; }} .library rect {{ fill: #e8d174; }}
.kernel rect {{ fill: #a9bdd1; }} .thread rect {{ fill: #cfcfc8; }}
#reset {{ cursor: pointer; text-decoration: underline; }}
.passed rect {{ opacity: 0.45; }} .found rect {{ fill: #b05ad8; }} .gone {{ display: none; }}
input {{ font: 12px sans-serif; width: 250px; }}
</style>
<text id="details" x="12" y="{foot + 16}">Point at a frame for its share, click to zoom in.</text>
<text class="title" x="12" y="{foot + 46}">{html.escape(title)}</text>
{legend}
<text id="reset" x="{WIDTH - 100}" y="{foot + 46}" class="gone">whole graph</text>
<foreignObject x="{WIDTH - 400}" y="{foot + 30}" width="280" height="26"><input xmlns="http://www.w3.org/1999/xhtml" id="search" type="search" placeholder="search (a regular expression)"/></foreignObject>
<text id="matched" x="{WIDTH - 400}" y="{foot + 72}"></text>
""")

    def write(node, start, row):
        x, width = start * scale, node.samples * scale
        if width < 0.1:
            return
        y = MARGIN + (rows - 1 - row) * ROW
        share = 100 * node.samples / total
        room = int((width - 6) / CHARACTER)
        text = node.name if len(node.name) <= room else node.name[:room - 1] + "…" if room > 3 else ""
        name = html.escape(node.name, quote=True)
        out.write(f'<g class="frame {node.kind}" data-start="{start}" data-samples="{node.samples}" data-row="{row}" '
                  f'data-name="{name}"><title>{name}\n{node.samples:,} samples, {share:.2f} %</title>'
                  f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}"/>'
                  f'<text x="{x + 3:.2f}" y="{y + 12}">{html.escape(text)}</text></g>\n')
        for child in sorted(node.children.values(), key=lambda child: child.name):
            write(child, start, row + 1)
            start += child.samples

    write(root, 0, 0)
    out.write(f"<script><![CDATA[\n{script}]]></script>\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--title", default="flame graph")
    arguments = parser.parse_args()
    sys.setrecursionlimit(10_000)
    root = fold(parse(sys.stdin))
    if root.samples == 0:
        sys.exit("no samples: nothing ran while it was recorded, or perf was not allowed to see it")
    draw(root, f"{arguments.title} ({root.samples:,} samples)", sys.stdout)


if __name__ == "__main__":
    main()
