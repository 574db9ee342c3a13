#!/usr/bin/env python3
"""Makes the captures of `captures/cases/`, and their rows: a trace and packets in one archive. Needs tshark.

Some hold a session that was recorded both ways, others a trace that was written for the packets: one entry for
each connection, at its time. What is wrong with them is said in the story; the labels were written first.
"""

import hashlib
import io
import json
import subprocess
import zipfile
from datetime import datetime, timezone

import lab

FOLDER = lab.CAPTURES / "cases"
ORIGIN = "made by tests/lab/cases.py"
LOGIN = "login.microsoftonline.com"
START = "/common/oauth2/v2.0/authorize?client_id=4765445b-32c6-49b0-83e6-1d93765276ca&response_type=code"
TIMED_OUT = "net::ERR_CONNECTION_TIMED_OUT"
UNKNOWN = {"outcome": "undetermined", "side": "cannot_tell"}


def connections(path):
    """Host and time of each TCP connection that names one, or whose address a lookup before gave."""
    fields = ["-e", "tcp.stream", "-e", "frame.time_epoch", "-e", "ip.dst", "-e", "ipv6.dst"]
    run = lambda condition, more: subprocess.run(["tshark", "-r", path, "-Y", condition, "-T", "fields", *more], capture_output=True, text=True, check=True).stdout.splitlines()
    names = {}
    for line in run("dns.flags.response == 1", ["-e", "dns.qry.name", "-e", "dns.a", "-e", "dns.aaaa"]):
        name, four, six = (line.split("\t") + ["", ""])[:3]
        names |= {address: name for address in (four + "," + six).split(",") if address}
    seen = {}
    for line in run("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 443", fields):
        stream, at, four, six = line.split("\t")
        if stream not in seen and (four or six) in names:
            seen[stream] = (names[four or six], float(at))
    return sorted(seen.values(), key=lambda one: one[1])


def entry(host, at, status=200, error=None):
    when = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    response = {"status": status, "statusText": "", "httpVersion": "", "cookies": [], "headers": [], "redirectURL": "", "headersSize": -1, "bodySize": -1, "content": {"size": 0, "mimeType": "text/html"}}
    if error:
        response["_error"] = error
    request = {"method": "GET", "url": f"https://{host}{START if host == LOGIN else '/'}", "httpVersion": "HTTP/2", "cookies": [], "headers": [], "queryString": [], "headersSize": -1, "bodySize": 0}
    return {"startedDateTime": when, "time": 20, "timings": {}, "cache": {}, "request": request, "response": response}


def har(entries):
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}, "entries": entries}}, indent=1)


def trace(path, fails):
    """A trace of the connections; the request to the sign-in host that `fails` picks could not connect."""
    found = connections(path)
    own = [n for n, (host, _) in enumerate(found) if host == LOGIN]
    bad = fails(own)
    return har([entry(host, at, 0, TIMED_OUT) if n in bad else entry(host, at) for n, (host, at) in enumerate(found)])


def until(path, place):
    """A recorded trace that ends with the first request of a kind, which could not connect."""
    entries = json.loads(path.read_text())["log"]["entries"]
    at = next(n for n, one in enumerate(entries) if place in one["request"]["url"])
    last = entries[at]
    last["response"] = entry(LOGIN, 0, 0, TIMED_OUT)["response"]
    return har(entries[:at + 1])


def archive(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name, (2030, 1, 15, 9, 30, 0)), data, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


KEYED, PACKETS = lab.CAPTURES / "keyed", lab.CAPTURES / "packets"


def both(packets, text):
    return [("case/browser.har", text), (f"case/{packets.name}", packets.read_bytes())]


CASES = [
    ("recorded-twice", lambda: both(KEYED / "code-typed-tls12-h1.pcap", (KEYED / "code-typed-tls12-h1.har").read_text()),
     "A sign-in that went through, recorded by the browser and as packets without keys.",
     {"outcome": "mfa_completed", "side": "nothing_wrong", "mfa": "passed"}, "negative"),
    ("browser-fails-packets-reach", lambda: both(KEYED / "push-denied-tls13-h1.pcap", until(KEYED / "push-denied-tls13-h1.har", "/BeginAuth")),
     "The browser says that it could not connect to the sign-in host to begin MFA; the packets of that time show connections to the host that are used all along.",
     UNKNOWN, "positive"),
    ("browser-answered-packets-dead", lambda: both(PACKETS / "login-syn-unanswered.pcap", trace(PACKETS / "login-syn-unanswered.pcap", lambda own: [])),
     "The browser has answers of the sign-in host; the packets of that time show nothing but connections to it that nobody answers. The contents of the answers were not saved.",
     UNKNOWN, "positive"),
    ("one-address-dead", lambda: both(PACKETS / "ipv6-unanswered.pcap", trace(PACKETS / "ipv6-unanswered.pcap", lambda own: own[:1])),
     "The browser could not connect to the sign-in host once and got through right after; the packets show the dead address and the one that answered. The contents of the answers were not saved.",
     UNKNOWN, "look-alike"),
]


def main():
    FOLDER.mkdir(exist_ok=True)
    rows = {}
    for name, members, text, label, role in CASES:
        data = archive(members())
        (FOLDER / f"{name}.zip").write_bytes(data)
        at = f"cases/{name}.zip"
        fields = {"path": at, "sha256": hashlib.sha256(data).hexdigest(), "origin": ORIGIN, "producer": "a trace in the layout of Chrome DevTools, packets", "story": text, **label}
        lines = [f"{k:<8} = {lab.quote(v)}" for k, v in fields.items()]
        lists = {"expect": ["CAP020"] if role == "positive" else [], "forbid": [] if role == "positive" else ["CAP020"]}
        lines += [f"{k:<8} = [{', '.join(lab.quote(one) for one in v)}]" for k, v in lists.items()]
        rows[at] = "\n".join([*lines, f'covers   = {{ CAP020 = "{role}" }}']) + "\n"
    lab.put_rows(rows, ORIGIN, set(rows))


if __name__ == "__main__":
    main()
