#!/usr/bin/env python3
"""Makes the captures of the lab: `run.py [--jobs N] [--try] [--rows] [--check] [--list] [story ...]`, as root.

`--try` records and checks without touching the corpus; `--rows` writes the rows of the captures that are there
from the labels, without recording; `--check` looks for the mechanisms in the captures that are there; `--list` shows the stories.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lab
import stories

NEEDS = ["ip", "nft", "iptables", "dnsmasq", "squid", "nginx", "openssl", "curl", "node", "chromium", "certutil", "ethtool", "tcpdump", "tshark", "conntrack"]


def play(number, story, pki, attempts=3):
    """Records one story and checks it; a recording in which chance spoiled the mechanism is made again."""
    wrong = []
    for _ in range(attempts):
        network = lab.Lab(number, pki, story["name"])
        try:
            story["play"](network)
            data = network.recorded()
        except (RuntimeError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
            wrong = [f"{e} {getattr(e, 'stderr', '') or ''}"]
            continue
        finally:
            network.down()
        path = network.dir / f"{story['name']}.pcap"
        path.write_bytes(data)
        wrong = lab.faults(path, story)
        if not wrong:
            return path, []
    return None, [*wrong, f"see {network.dir}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--try", action="store_true", dest="only_try")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("story", nargs="*")
    args = parser.parse_args()
    known = {s["name"]: s for s in stories.STORIES}
    missing = [n for n in args.story if n not in known]
    if missing:
        sys.exit(f"no story {', '.join(missing)}")
    chosen = [known[n] for n in args.story or known]
    if args.list:
        for s in chosen:
            print(f"{s['name']}: {s['outcome']} {s['side']} host={s['host'] or '-'} expect={','.join(s['expect']) or '-'} forbid={','.join(s['forbid']) or '-'}. {s['text']}")
        return
    if args.check:
        paths = [(s, lab.CAPTURES / "lab" / f"{s['name']}.pcap") for s in chosen]
        wrong = [(s["name"], w) for s, p in paths for w in ([] if not p.exists() else lab.faults(p, s))]
        for name, w in wrong:
            print(f"{name}: {w}")
        sys.exit(1 if wrong else 0)
    if args.rows:
        lab.write_rows([s for s in chosen if (lab.CAPTURES / "lab" / f"{s['name']}.pcap").exists()], known)
        return
    absent = [n for n in NEEDS if not shutil.which(n)]
    if absent or os.geteuid() != 0:
        sys.exit(f"the lab runs as root and needs {', '.join(absent or NEEDS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="lab-keys-"))
    pki = lab.Pki(folder / "pki")
    target = lab.CAPTURES / "lab"
    target.mkdir(exist_ok=True)
    made, failed = [], []
    with ThreadPoolExecutor(args.jobs) as pool:
        base = os.getpid() % 1000 * 100
        for story, (path, wrong) in zip(chosen, pool.map(lambda pair: play(base + pair[0], pair[1], pki), enumerate(chosen))):
            print(f"{'ok  ' if path else 'FAIL'} {story['name']} {path.stat().st_size if path else ''} {path if args.only_try and path else ''} {'; '.join(wrong)}", flush=True)
            if path:
                made.append(story)
                if not args.only_try:
                    shutil.copyfile(path, target / path.name)
            else:
                failed.append(story["name"])
    if not args.only_try:
        lab.write_rows(made, known)
    shutil.rmtree(folder)
    print(f"{len(made)} captures" + (f", failed: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
