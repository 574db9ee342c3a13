#!/usr/bin/env python3
"""Records the sessions with keys: `keyed.py [--try] [--rows] [--list] [session ...]`, as root.

Each gives a capture with its keys and the HAR of the same session in `captures/keyed/`. `--try` records and checks
without touching the corpus; `--rows` writes the rows of what is there.
"""

import argparse
import collections
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import delivery
import lab
import rewrite
from clients import Client
from keyed_stories import KEYED

FOLDER = lab.CAPTURES / "keyed"
ENDINGS = {"front": ".pcapng", "end": ".pcapng", "zip": ".zip", "beside": ".pcap"}
VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1.1", "1.2": "TLSv1.2", "1.3": "TLSv1.3"}
ORIGIN = "recorded with keys from tests/lab ("


def setup(story):
    ciphers = story["server"].get("ciphers", "").replace(":@SECLEVEL=0", "")
    parts = [{"chromium": "Chromium", "curl": "curl", "s_client": "openssl s_client"}[story["client"]], f"TLS {story['tls']}", f"HTTP/{story['http']}", *([ciphers] if ciphers else []), *(["squid"] if story["proxy"] else [])]
    return ", ".join(parts)


def nginx(network, groups="auto"):
    """nginx in front of the stand-in on the sign-in host's address, for what node cannot do: early data."""
    chain, key = network.pki.pair("login")
    conf = network.dir / "front.conf"
    temps = " ".join(f"{n}_temp_path {network.dir};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf.write_text(f"""worker_processes 1; daemon off; pid {network.dir}/front.pid; error_log {network.dir}/front.err;
events {{}}
http {{ access_log off; {temps}
server {{ listen {lab.HOSTS[lab.LOGIN]}:443 ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_ecdh_curve {groups}; ssl_early_data on; ssl_session_cache shared:s:1m;
 location / {{ proxy_pass https://{lab.LOGIN2}; proxy_ssl_protocols TLSv1.3; proxy_ssl_server_name on; proxy_ssl_name $host; proxy_set_header Host $host; proxy_http_version 1.1; }} }} }}
""")
    network.spawn("s", "nginx", "-c", str(conf))
    network.until(lambda: f"{lab.HOSTS[lab.LOGIN]}:443 " in network.on("s", "ss", "-lnt").stdout, "nginx")


def record(network, story):
    """Lives through the session; leaves raw packets, keys and HAR in the lab's folder."""
    network.up()
    network.dns()
    client = Client(network, story)
    server = dict(story["server"])
    behind = server.pop("behind", None)
    low = VERSIONS[story["tls"]]
    network.server = network.login(low=low, high=low, http=story["http"], log=str(client.log), skip=[lab.HOSTS[lab.LOGIN]] if behind else (), **server)
    if behind:
        nginx(network, *behind.split()[1:])
    if story["proxy"]:
        network.squid()
    network.record()
    story["play"](client)
    if story["client"] != "chromium":
        client.write_har()
    pcap = network.dir / "whole.pcap"
    pcap.write_bytes(network.recorded())
    text = re.sub(r'("serverIPAddress":")([0-9.]*)"', lambda m: f'{m[1]}{rewrite.V4.get(m[2], m[2])}"', client.har.read_text())
    client.har.write_text(text)
    return pcap, client.keys, client.har


def spoil(story, pcap, keys):
    """Takes away what the story says is missing."""
    if not story["lost"]:
        return pcap, keys
    kind, what, *more = story["lost"]
    asked = f'(http.request.uri contains "{what}" || http2.headers.path contains "{what}") && ip.src == 10.20.3.71'
    out = pcap.with_name("spoiled.pcap")
    if kind == "secrets":
        hellos = delivery.frames(pcap, f'tls.handshake.type == 1 && tls.handshake.extensions_server_name == "{what}"', fields=["tls.handshake.random"])
        few = keys.with_name("few.log")
        delivery.without_secrets(keys, {r.replace(":", "").lower() for (r,) in hellos}, few)
        return pcap, few
    if kind == "request":
        delivery.without_frames(pcap, [delivery.frames(pcap, asked, keys)[more[0]][0]], out)
    if kind == "body":
        number, stream = delivery.frames(pcap, asked, keys, ["frame.number", "tcp.stream"])[0]
        body = delivery.frames(pcap, f"tcp.stream == {stream} && frame.number > {number} && tcp.len > 1000 && ip.dst == 10.20.3.71")
        delivery.without_frames(pcap, [body[1][0]], out)
    if kind == "start":
        delivery.from_frame(pcap, delivery.frames(pcap, asked, keys)[more[0]][0], out)
    return out, keys


def requests(pcap, keys):
    """Requests that tshark reads with the keys, and how often."""
    found = collections.Counter()
    for row in delivery.frames(pcap, "http.request || http2.headers.method", keys, ["http.request.method", "http.host", "http.request.uri", "http2.headers.method", "http2.headers.authority", "http2.headers.path"]):
        for at in (0, 3):
            if row[at]:
                for method, host, path in zip(*(cell.split(",") for cell in row[at:at + 3])):
                    found[(method, host.split(":")[0], path.split("?")[0])] += 1
    return found


def missing(pcap, keys, har):
    """Answered requests of the HAR that tshark does not find in the packets."""
    told = collections.Counter()
    for entry in json.loads(har.read_text())["log"]["entries"]:
        if entry["response"]["status"] and not entry["response"].get("_error"):
            url = urlsplit(entry["request"]["url"])
            told[(entry["request"]["method"], url.hostname, url.path or "/")] += 1
    return told - requests(pcap, keys)


def faults(story, pcap, keys, har):
    """What is wrong with a recording, before anything is taken away from it."""
    checks = {"malformed": "_ws.malformed && !quic", "lab addresses": lab.LAB, "udp 443": "udp.port == 443"}
    wrong = [name for name, n in zip(checks, lab.counts(pcap, list(checks.values()))) if n]
    wrong += [f"tshark lacks {' '.join(r)}" for r in missing(pcap, keys, har)]
    entries = len(json.loads(har.read_text())["log"]["entries"])
    if not entries:
        wrong.append("no exchanges")
    if pcap.stat().st_size > 400_000:
        wrong.append(f"{pcap.stat().st_size} bytes")
    return wrong


def deliver(story, pcap, keys, har, folder):
    """Writes the files of a session; their names."""
    out = folder / (story["name"] + ENDINGS[story["keys"]])
    if story["keys"] in ("front", "end"):
        delivery.inside(pcap, keys, out, end=story["keys"] == "end")
    elif story["keys"] == "zip":
        delivery.zipped(pcap, keys, out)
    else:
        shutil.copyfile(pcap, out)
        shutil.copyfile(keys, folder / f"{out.name}.keylog")
    shutil.copyfile(har, folder / f"{story['name']}.har")
    return out


def play(number, story, pki, folder, attempts=3):
    wrong = []
    for _ in range(attempts):
        network = lab.Lab(number, pki, story["name"])
        try:
            pcap, keys, har = record(network, story)
        except (RuntimeError, subprocess.CalledProcessError, subprocess.TimeoutExpired, ValueError, KeyError, IndexError) as e:
            wrong = [f"{e!r} {getattr(e, 'stderr', '') or ''}"]
            continue
        finally:
            network.down()
        wrong = faults(story, pcap, keys, har)
        if not wrong:
            return deliver(story, *spoil(story, pcap, keys), har, folder), []
    return None, [*wrong, f"see {network.dir}"]


def rows(stories):
    producer = lab.sh("tcpdump", "--version").splitlines()[0].replace("tcpdump version", "tcpdump")
    out = {}
    for story in stories:
        capture = f"keyed/{story['name']}{ENDINGS[story['keys']]}"
        har = f"keyed/{story['name']}.har"
        label = {k: story[k] for k in ("outcome", "side", "host", "mfa")}
        whose = {"chromium": "Chrome DevTools layout"}.get(story["client"], "mitmproxy layout")
        beside = {"keylog": f"{capture}.keylog"} if story["keys"] == "beside" else {}
        for path, made, told in [(capture, producer, {**label, **story["packets"], **beside}), (har, whose, label)]:
            fields = {"path": path, "sha256": hashlib.sha256((lab.CAPTURES / path).read_bytes()).hexdigest(), "origin": f"{ORIGIN}{setup(story)})", "producer": made, "story": story["text"], **told}
            lines = [f"{k:<8} = {lab.quote(v)}" for k, v in fields.items() if v is not None]
            out[path] = "\n".join([*lines, "expect   = []", "forbid   = []", "covers   = {}"]) + "\n"
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--try", action="store_true", dest="only_try")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("session", nargs="*")
    args = parser.parse_args()
    known = {s["name"]: s for s in KEYED}
    absent = [n for n in args.session if n not in known]
    if absent:
        sys.exit(f"no session {', '.join(absent)}")
    chosen = [known[n] for n in args.session or known]
    if args.list:
        for s in chosen:
            print(f"{s['name']}: {s['outcome']} {s['side']} mfa={s['mfa']} host={s['host'] or '-'} keys={s['keys']} lost={s['lost'] or '-'} packets={s['packets'] or 'as the HAR'}. {setup(s)}. {s['text']}")
        return
    if args.rows:
        there = [s for s in chosen if (FOLDER / f"{s['name']}.har").exists()]
        lab.put_rows(rows(there), ORIGIN, {f"keyed/{n}{e}" for n, s in known.items() for e in (ENDINGS[s["keys"]], ".har")})
        return
    if os.geteuid() != 0:
        sys.exit("the lab runs as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    keys = Path(tempfile.mkdtemp(prefix="lab-keys-"))
    pki = lab.Pki(keys / "pki")
    folder = Path(tempfile.mkdtemp(prefix="lab-keyed-")) if args.only_try else FOLDER
    folder.mkdir(exist_ok=True)
    failed = []
    for number, story in enumerate(chosen, os.getpid() % 1000 * 100):
        out, wrong = play(number, story, pki, folder)
        print(f"{'ok  ' if out else 'FAIL'} {story['name']} {out.stat().st_size if out else ''} {out if args.only_try and out else ''} {'; '.join(wrong)}", flush=True)
        failed += [] if out else [story["name"]]
    shutil.rmtree(keys)
    print(f"{len(chosen) - len(failed)} sessions" + (f", failed: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
