"""Clients that write their keys down: Chromium watched by `browse.mjs`, curl, and openssl's s_client.

What curl and s_client did is put together from the stand-in's own log and what the client reports of failures;
`har_of.mjs` writes the HAR of it.
"""

import json
import os
import re
import subprocess
import time
from urllib.parse import urlencode

from lab import APP, CDN, HERE, HOSTS, LOGIN, PROXY, USER, sh

TENANT = "7d1f3a52-6c0b-4e57-a9d4-0b6c5e2f8a11"
APP_ID = "3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40"
TOKEN = f"https://{LOGIN}/{TENANT}/oauth2/v2.0/token"
SKU = ["x-client-SKU: MSAL.NetCore", "x-client-Ver: 4.66.2.0", "Accept: application/json"]
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps",
    "--disable-domain-reliability", "--no-pings", "--disable-quic", "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,HttpsUpgrades",
]
REASONS = {56: ("reset", "net::ERR_CONNECTION_RESET"), 35: ("tlsreset", "net::ERR_CONNECTION_RESET"), 7: ("refused", "net::ERR_CONNECTION_REFUSED"), 92: ("reset", "net::ERR_HTTP2_PROTOCOL_ERROR"), 52: ("reset", "net::ERR_EMPTY_RESPONSE"), 16: ("reset", "net::ERR_HTTP2_PROTOCOL_ERROR")}
PHRASES = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized"}


class Client:
    """One client of a session: where its keys go, what it did."""

    def __init__(self, lab, story):
        self.lab, self.story = lab, story
        self.keys = lab.dir / "sslkeys.log"
        self.log = lab.dir / "exchanges.log"
        self.log.touch()
        self.har = lab.dir / "session.har"
        self.failed = []

    # Chromium. Its own calls home describe the machine: past the proxy they find no address.

    def browse(self, url=f"https://{APP}/", idle=3200, limit=90000, **more):
        home = self.lab.home()
        args = [*FLAGS, *(["--proxy-server=http://proxy.contoso.example:8080", "--proxy-bypass-list=*.google.com;*.googleapis.com"] if self.story["proxy"] else []), f"--ssl-key-log-file={self.keys}"]
        conf = self.lab.dir / "browse.json"
        conf.write_text(json.dumps({"url": url, "out": str(self.har), "args": args, "env": {"HOME": str(home)}, "idle": idle, "limit": limit, **more}))
        done = self.lab.on("c", "node", str(HERE / "browse.mjs"), str(conf), timeout=limit / 1000 + 60)
        if done.returncode:
            raise RuntimeError(f"{self.lab.name}: {done.stderr[-600:]}")

    # curl.

    def curl(self, calls, rate=None, extra=()):
        """One curl for some calls (method, url, headers, body), its connections used again; their answers as texts."""
        base = ["--cacert", self.lab.trusted, "-A", WINDOWS, "--compressed", "--max-time", "20", "-sS", "-w", "%{json}\\n", {1: "--http1.1", 2: "--http2"}[self.story["http"]], "--tlsv1.0", *extra]
        if self.story["proxy"]:
            base += ["-x", f"http://{PROXY}:8080"]
        args, outs = [*(["--rate", rate] if rate else [])], []
        for n, (method, url, headers, body) in enumerate(calls):
            outs.append(self.lab.dir / f"answer{time.monotonic_ns()}-{n}")
            more = [x for h in headers for x in ("-H", h)]
            if body is not None:
                given = self.lab.dir / f"body{time.monotonic_ns()}"
                given.write_text(body)
                more += ["--data-binary", f"@{given}"]
            args += [*(["--next"] if n else []), *base, *(["-I"] if method == "HEAD" else []), *more, "-o", str(outs[-1]), url]
        done = self.lab.on("c", "curl", *args, env={**os.environ, "SSLKEYLOGFILE": str(self.keys)})
        for call, line in zip(calls, done.stdout.splitlines()):
            told = json.loads(line)
            if not told["http_code"]:
                self.failed.append((call, told["exitcode"], time.time() * 1000))
        return [out.read_text(errors="replace") if out.exists() else "" for out in outs]

    def form(self, url, fields, headers=(), extra=()):
        return self.curl([("POST", url, ["Content-Type: application/x-www-form-urlencoded", *headers], urlencode(fields))], extra=extra)[0]

    def token(self, fields, times=1, rate=None, extra=(), headers=()):
        """So many times the same call at the token endpoint, on one connection."""
        call = ("POST", TOKEN, ["Content-Type: application/x-www-form-urlencoded", *SKU, *headers], urlencode({"client_id": APP_ID, **fields}))
        return self.curl([call] * times, rate=rate, extra=extra)

    def ropc(self, **more):
        return self.token({"grant_type": "password", "username": USER["username"], "password": USER["password"], "scope": "https://graph.microsoft.com/.default", "client_info": "1"}, **more)

    def refresh(self, **more):
        return self.token({"grant_type": "refresh_token", "refresh_token": "1.AUkAUjFAKESECRET" + "r7Qm" * 60, "scope": "https://outlook.office365.com/.default openid"}, **more)

    def device_code(self, pending, **more):
        told = json.loads(self.form(TOKEN.replace("/token", "/devicecode"), {"client_id": APP_ID, "scope": "openid offline_access"}, SKU, **more))
        time.sleep(1)
        self.token({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": told["device_code"]}, times=pending + 1, rate="30/m", **more)

    @staticmethod
    def config(page):
        start = page.index("$Config=") + 8
        return json.JSONDecoder().raw_decode(page[start:])[0]

    def script(self, polls=3, most=12, stages=None, extra=()):
        """A program that signs in as the page's script would, with a push; `stages` is told of what was done."""
        told = stages or (lambda what: None)
        page = ["Accept: text/html"]
        query = urlencode({"client_id": APP_ID, "response_type": "code", "redirect_uri": f"https://{APP}/signin-oidc", "scope": "openid profile", "response_mode": "query", "state": "stFAKESECRET81"})
        got = self.curl([("GET", f"https://{LOGIN}/common/oauth2/v2.0/authorize?{query}", page, None), ("GET", f"https://{CDN}/shared/1.0/content/js/ConvergedLogin_PCore_k1v0standinaaaa2.js", [], None)], extra=extra)
        told("page")
        c = self.config(got[0])
        as_json = ["Content-Type: application/json; charset=UTF-8", "Accept: application/json"]
        flow = {"ctx": c["sCtx"], "flowToken": c["sFT"], "canary": c["canary"], "hpgrequestid": c["sessionId"]}
        got = self.curl([
            ("POST", c["urlGetCredentialType"], as_json, json.dumps({"username": USER["username"], "originalRequest": c["sCtx"], "flowToken": c["sFT"]})),
            ("POST", c["urlPost"], ["Content-Type: application/x-www-form-urlencoded", *page], urlencode({"login": USER["username"], "loginfmt": USER["username"], "type": "11", "passwd": USER["password"], **flow})),
        ], extra=extra)
        told("password")
        c = self.config(got[1])
        method = "PhoneAppNotification"
        begun = json.loads(self.curl([("POST", c["urlBeginAuth"], as_json, json.dumps({"AuthMethodId": method, "Method": "BeginAuth", "ctx": c["sCtx"], "flowToken": c["sFT"]}))], extra=extra)[0])
        told("begun")
        state = [f"x-ms-sessionId: {begun['SessionId']}", f"x-ms-flowToken: {begun['FlowToken']}", f"x-ms-ctx: {begun['Ctx']}", f"client-request-id: {c['correlationId']}", "Accept: application/json"]
        poll = lambda n: ("GET", f"{c['urlEndAuth']}?authMethodId={method}&pollCount={n}", state, None)
        answers = self.curl([poll(n + 1) for n in range(polls)], rate="60/m", extra=extra)
        told("polls")
        for n in range(polls, most):
            last = json.loads(answers[-1] or "{}")
            if last.get("Success") or not last.get("Retry", True):
                break
            time.sleep(0.9)
            answers = self.curl([poll(n + 1)], extra=extra)
        last = json.loads(answers[-1] or "{}")
        if last.get("Success"):
            self.form(c["urlPost"], {"type": "22", "request": last["Ctx"], "mfaAuthMethod": method, "login": USER["username"], "flowToken": last["FlowToken"], "canary": c["canary"], "hpgrequestid": c["sessionId"]}, page, extra=extra)

    # openssl.

    def s_client(self, *args):
        return subprocess.Popen(
            ["ip", "netns", "exec", self.lab.tag + "c", "openssl", "s_client", "-connect", f"{HOSTS[LOGIN]}:443", "-servername", LOGIN, "-CAfile", self.lab.trusted, "-verify_return_error", "-keylogfile", str(self.keys), *args],
            stdin=subprocess.PIPE, stdout=open(self.lab.dir / "s_client.log", "a"), stderr=subprocess.STDOUT, env={**os.environ})

    @staticmethod
    def say(child, text, wait=0.8):
        child.stdin.write(text.encode())
        child.stdin.flush()
        time.sleep(wait)

    @staticmethod
    def request(method, path, body=None, more=""):
        head = f"{method} {path} HTTP/1.1\r\nHost: {LOGIN}\r\nUser-Agent: {WINDOWS}\r\nAccept: application/json\r\n{more}"
        if body is None:
            return head + "\r\n"
        return f"{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"

    # What was done, as a HAR.

    def write_har(self, layout="mitmproxy"):
        exchanges = []
        for n, line in enumerate(self.log.read_text().splitlines()):
            e = json.loads(line)
            host = re.match(r"https://([^/:]*)", e["url"])[1]
            mime = e.get("mime") or ""
            kind = dict((k.lower(), v) for k, v in e["got"]).get("content-type", "")
            exchanges.append({
                "started": e["started"] - 9, "times": {"blocked": 0, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": e["ended"] - e["started"] + 9, "receive": 1}, "type": "document" if "html" in kind else "xhr", "initiator": "other", "pageref": 1,
                "request": {"method": e["method"], "url": e["url"], "headers": e["sent"], "body": e["body"], **({"mime": mime} if mime and not mime.startswith("application/x-www-form") else {})},
                "response": {"status": e["status"], "text": PHRASES.get(e["status"], ""), "headers": e["got"], "body": "" if e["method"] == "HEAD" else e["answer"], "mime": kind or "text/plain"},
                "error": None, "address": HOSTS.get(host, ""), "connection": e.get("port"), "port": e.get("port"),
            })
        for (method, url, headers, body), code, at in self.failed:
            kind, net = REASONS.get(code, ("aborted", "net::ERR_ABORTED"))
            exchanges.append({
                "started": round(at), "times": {"blocked": 1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0}, "type": "xhr", "initiator": "other", "pageref": 1,
                "request": {"method": method, "url": url, "headers": [h.split(": ", 1) for h in headers], "body": body}, "response": None, "error": {"kind": kind, "net": net},
            })
        exchanges.sort(key=lambda x: x["started"])
        file = self.lab.dir / "exchanges.json"
        file.write_text(json.dumps(exchanges))
        sh("node", str(HERE / "har_of.mjs"), str(file), layout, str(self.har))
