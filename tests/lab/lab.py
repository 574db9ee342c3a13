"""The machinery of the lab: namespaces, servers, clients, the recording, and its place in the corpus."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import rewrite

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CAPTURES = ROOT / "captures"

LOGIN, DEVICE = "login.microsoftonline.com", "device.login.microsoftonline.com"
CDN, CDN2 = "aadcdn.msauth.net", "aadcdn.msftauth.net"
LIVE, OFFICE, TELEMETRY, APP = "login.live.com", "www.office.com", "browser.events.data.microsoft.com", "portal.fabrikam.example"
CLIENT, ROUTER, RESOLVER, RESOLVER2, PROXY = "192.0.2.71", "192.0.2.1", "192.0.2.53", "192.0.2.54", "192.0.2.8"
HOSTS = {
    LOGIN: "198.51.100.14", DEVICE: "198.51.100.20", "autologon.microsoftazuread-sso.com": "198.51.100.130",
    "login.microsoft.com": "198.51.100.66", LIVE: "198.51.100.4", CDN: "198.51.100.45", CDN2: "198.51.100.46",
    OFFICE: "198.51.100.6", TELEMETRY: "198.51.100.90", "mysignins.microsoft.com": "198.51.100.77",
    "outlook.office365.com": "198.51.100.120", APP: "198.51.100.80", "news.example.net": "198.51.100.99",
    "sts.contoso.example": "198.51.100.25", "www.msftconnecttest.com": "198.51.100.5",
}
LOGIN2 = "198.51.100.7"
LOGIN6 = "2001:db8:28::14"
NAMES = {ROUTER: "router", PROXY: "proxy.contoso.example"}
# As the real names lead to their addresses: over names of other zones.
CHAINS = {
    LOGIN: ["login.mso.msidentity.com", "ak.privatelink.msidentity.com", "www.tm.a.prd.aadg.trafficmanager.net"],
    CDN: ["scdn1efff.wpc.9da76.omegacdn.net"],
    CDN2: ["aadcdnoriginwus2.azureedge.net", "scdn38c07.wpc.9da5e.omegacdn.net"],
}
USER = {"username": "adele.vance@contoso.example", "password": "FAKESECRET-Passw0rd!2030", "think": 400}
PUSH = {"mfa": {"end": [{"after": 4200, "result": "Success"}]}}
DIGICERT = "/C=US/O=DigiCert Inc/CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1"
AZURE = "/C=US/O=Microsoft Corporation/CN=Microsoft Azure RSA TLS Issuing CA 03"
ENCRYPT = "/C=US/O=Let's Encrypt/CN=R11"
BRANDS = {
    "zscaler": "/C=US/ST=California/O=Zscaler Inc./OU=Zscaler Inc./CN=Zscaler Intermediate Root CA (zscalerthree.net)",
    "fortinet": "/C=US/ST=California/L=Sunnyvale/O=Fortinet/OU=Certificate Authority/CN=FortiGate CA",
    "umbrella": "/C=US/ST=California/O=Cisco/CN=Cisco Umbrella Secondary SubCA ams-SG",
    "contoso": "/C=DE/O=Contoso AG/CN=Contoso Proxy CA",
}


def sh(*args, **more):
    return subprocess.run(args, check=True, capture_output=True, text=True, **more).stdout


class Pki:
    """Keys and certificates of one run, made with openssl: the right ones, and those of products on the way."""

    def __init__(self, folder):
        self.dir = Path(folder)
        self.dir.mkdir(parents=True)
        self.root = self.authority("root", "/C=US/O=DigiCert Inc/OU=www.digicert.com/CN=DigiCert Global Root G2")
        for name, subject in [("digicert", DIGICERT), ("azure", AZURE), ("encrypt", ENCRYPT)]:
            self.authority(name, subject, "root")
        for name, subject in BRANDS.items():
            self.authority(name, subject)
        self.names = [h for h in HOSTS]
        microsoft = "/C=US/ST=WA/L=Redmond/O=Microsoft Corporation/CN="
        sts = [h for h in HOSTS if h.startswith("login") or h in (DEVICE, "autologon.microsoftazuread-sso.com")]
        self.leaf("login", "digicert", microsoft + "stamp2.login.microsoftonline.com", sts + ["stamp2.login.microsoftonline.com", "login.windows.net"])
        self.leaf("site", "azure", microsoft + "*.msauth.net", ["*.msauth.net", "*.msftauth.net", OFFICE, "*.office.com", "*.events.data.microsoft.com", "mysignins.microsoft.com", "outlook.office365.com"])
        self.leaf("app", "encrypt", "/CN=portal.fabrikam.example", [APP, "news.example.net", "sts.contoso.example", "www.msftconnecttest.com"])
        self.leaf("expired", "digicert", microsoft + "stamp2.login.microsoftonline.com", sts, ("20250301000000Z", "20250609235959Z"))
        self.leaf("device", "contoso", "/CN=7a6f0c52-91d4-4a9e-b1a7-0c6a2f5e8d13", ["device.contoso.example"])
        self.leaf("other", "encrypt", "/CN=www.wingtiptoys.example", ["www.wingtiptoys.example"])
        for name in BRANDS:
            self.leaf(f"by-{name}", name, "/CN=" + LOGIN, list(HOSTS))

    def run(self, *args):
        sh("openssl", *args, cwd=self.dir)

    def key(self, name):
        self.run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{name}.key")

    def authority(self, name, subject, issuer=None):
        self.key(name)
        self.run("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        self.sign(name, issuer or name, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\n", ("20200924000000Z", "20370923235959Z"), issuer is None)
        return self.dir / f"{name}.pem"

    def leaf(self, name, issuer, subject, names, valid=None):
        self.key(name)
        self.run("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        now = time.time()
        stamp = lambda days: time.strftime("%Y%m%d000000Z", time.gmtime(now + days * 86400))
        self.sign(name, issuer, f"subjectAltName={','.join('DNS:' + n for n in names)}\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature,keyEncipherment\nbasicConstraints=critical,CA:FALSE\n", valid or (stamp(-20), stamp(80)))
        chain = [name] if issuer in BRANDS else [name, issuer]
        (self.dir / f"{name}.chain.pem").write_text("".join((self.dir / f"{n}.pem").read_text() for n in chain))

    def sign(self, name, issuer, extensions, valid, own=False):
        (self.dir / "index").write_text("")
        (self.dir / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\npreserve=yes\nunique_subject=no\nemail_in_dn=no\n[p]\ncommonName=supplied\n[x]\n{extensions}")
        self.run("ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN", "-in", f"{name}.csr", "-out", f"{name}.pem", "-keyfile", f"{issuer}.key", *(["-selfsign"] if own else ["-cert", f"{issuer}.pem"]), "-startdate", valid[0], "-enddate", valid[1], "-extensions", "x")

    def pair(self, name):
        return [str(self.dir / f"{name}.chain.pem"), str(self.dir / f"{name}.key")]


class Lab:
    """One story's network; everything it started ends with it."""

    def __init__(self, number, pki, name):
        self.tag = f"lab{number}"
        self.pki, self.name = pki, name
        self.dir = Path(tempfile.mkdtemp(prefix=f"lab-{name}-"))
        self.started = []
        self.filter = ""
        self.tcpdump = None
        self.trusted = str(pki.root)

    # The network.

    def up(self, wire=None, mtu=1500, ipv6=False, filters=""):
        """client -- router == wire == server, with addresses, routes, and offloads off so that frames are whole."""
        c, r, w, s = (f"{self.tag}{x}" for x in "crws")
        for ns in (c, r, w, s):
            sh("ip", "netns", "add", ns)
            self.run(ns, "ip", "link", "set", "lo", "up")
            if not ipv6:
                self.run(ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            self.run(ns, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0", "net.ipv6.conf.all.forwarding=0")
        links = [(c, "eth0", "3c:52:82:4a:91:07", r, "lan", "00:09:0f:aa:31:02"), (r, "wan", "00:09:0f:aa:31:03", w, "near", "02:00:00:00:00:0a"), (w, "far", "02:00:00:00:00:0b", s, "eth0", "d4:04:ff:a0:00:01")]
        for ns1, dev1, mac1, ns2, dev2, mac2 in links:
            sh("ip", "link", "add", dev1, "address", mac1, "netns", ns1, "type", "veth", "peer", "name", dev2, "address", mac2, "netns", ns2)
            for ns, dev in ((ns1, dev1), (ns2, dev2)):
                self.run(ns, "ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off", "sg", "off")
                self.run(ns, "ip", "link", "set", dev, "up")
        for ns, dev, addresses in [(c, "eth0", [CLIENT]), (r, "lan", [ROUTER, RESOLVER, RESOLVER2, PROXY]), (r, "wan", ["198.51.100.1"]), (s, "eth0", [*HOSTS.values(), LOGIN2])]:
            for address in addresses:
                self.run(ns, "ip", "addr", "add", f"{address}/24", "brd", "+", "dev", dev)
        if ipv6:
            for ns, dev, address in [(c, "eth0", "2001:db8:3::71"), (r, "lan", "2001:db8:3::1"), (r, "wan", "2001:db8:28::1"), (s, "eth0", LOGIN6)]:
                self.run(ns, "ip", "addr", "add", f"{address}/64", "dev", dev, "nodad")
            self.run(c, "ip", "-6", "route", "add", "default", "via", "2001:db8:3::1")
            self.run(s, "ip", "-6", "route", "add", "default", "via", "2001:db8:28::1")
            self.run(r, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.run(c, "ip", "route", "add", "default", "via", ROUTER)
        self.run(s, "ip", "route", "add", "default", "via", "198.51.100.1")
        self.run(r, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
        self.run(r, "ip", "route", "add", "unreachable", "default")
        self.run(c, "sysctl", "-qw", "net.ipv4.tcp_syn_linear_timeouts=0", "net.ipv4.tcp_syn_retries=3")
        if mtu != 1500:
            self.run(r, "ip", "link", "set", "wan", "mtu", str(mtu))
        self.spawn("w", "python3", str(HERE / "wire.py"), "near", "far", json.dumps(wire or {}), ready=True)
        self.nft(filters)
        etc = Path("/etc/netns") / c
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")

    def resolv(self, text):
        (Path("/etc/netns") / f"{self.tag}c" / "resolv.conf").write_text(text)

    def nft(self, filters):
        """Rules of the router by chain: lines `input ...`, `forward ...`, `output ...`, `nat ...`."""
        if not filters.strip():
            return
        chains = {"input": "type filter hook input priority 0", "forward": "type filter hook forward priority 0", "output": "type filter hook output priority 0", "nat": "type nat hook prerouting priority -100"}
        text = ""
        for family in ("ip", "ip6"):
            for chain, hook in chains.items():
                rules = [line.strip()[len(chain):] for line in filters.strip().splitlines() if line.strip().startswith(chain + " ") and ("ip6 " in line or "icmpv6" in line) == (family == "ip6")]
                if rules:
                    text += f"add table {family} lab\nadd chain {family} lab {chain} {{ {hook}; }}\n" + "".join(f"add rule {family} lab {chain} {r}\n" for r in rules)
        self.run(f"{self.tag}r", "nft", "-f", "-", input=text)

    def flush(self):
        self.run(f"{self.tag}r", "nft", "flush", "ruleset")

    @staticmethod
    def run(ns, *args, **more):
        return sh("ip", "netns", "exec", ns, *args, **more)

    def on(self, where, *args, **more):
        """Runs a command in one of the namespaces c, r, w, s; its failing is no failure of the lab."""
        return subprocess.run(["ip", "netns", "exec", self.tag + where, *args], capture_output=True, text=True, **more)

    def spawn(self, where, *args, ready=False, env=None):
        log = open(self.dir / f"{len(self.started)}-{Path(args[0]).name}.log", "w+")
        child = subprocess.Popen(["ip", "netns", "exec", self.tag + where, *args], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **(env or {})})
        self.started.append(child)
        child.log = Path(log.name)
        if ready:
            self.until(lambda: "ready" in child.log.read_text(), f"{args[0]} in {self.name}: see {log.name}")
        return child

    def until(self, holds, what, seconds=20):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: waited in vain for {what}")
            time.sleep(0.05)

    @staticmethod
    def stop(child, how=signal.SIGTERM):
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(5)

    def down(self):
        for child in reversed(self.started):
            self.stop(child)
        for x in "crws":
            subprocess.run(["ip", "netns", "del", self.tag + x], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / f"{self.tag}{x}", ignore_errors=True)

    # Servers.

    def dns(self, extra="", addresses=None, skip=(), port=53, ipv6=(), unknown="denied", at=(RESOLVER, RESOLVER2)):
        """dnsmasq on the router: the names of the lab, nothing else."""
        lines = ["no-resolv", "no-hosts", "bind-interfaces", "except-interface=lo", f"listen-address={','.join(at)}", f"port={port}", "local-ttl=60", "log-queries", "log-facility=-", "user=root", *(["local=/#/"] if unknown == "denied" else []), f"pid-file={self.dir}/dnsmasq.pid"]
        for host, found in {**HOSTS, **(addresses or {}), "proxy.contoso.example": PROXY}.items():
            if host in skip:
                continue
            chain = [host, *CHAINS.get(host, [])]
            lines += [f"cname={a},{b}" for a, b in zip(chain, chain[1:])]
            lines += [f"host-record={chain[-1]},{a}" for a in ([found] if isinstance(found, str) else found)]
            if host in ipv6:
                lines.append(f"host-record={chain[-1]},{LOGIN6}")
        conf = self.dir / "dnsmasq.conf"
        conf.write_text("\n".join(lines) + "\n" + extra)
        self.spawn("r", "dnsmasq", "--keep-in-foreground", "-C", str(conf))
        self.until(lambda: self.on("r", "ss", "-lnu").stdout.count(f":{port} ") > 0, "dnsmasq")

    def login(self, low="TLSv1.2", high="TLSv1.3", where="s", certs=None, skip=(), port_of=None, **more):
        """The stand-in on all addresses of the servers that are not in `skip`."""
        sts = self.pki.pair("login")
        table = {"*": self.pki.pair("site"), **{h: sts for h in HOSTS if h.startswith("login") or h in (DEVICE, "autologon.microsoftazuread-sso.com")}, **{h: self.pki.pair("app") for h in (APP, "news.example.net", "sts.contoso.example")}}
        table.update({h: self.pki.pair(p) for h, p in (certs or {}).items()})
        user = {**USER, **more.pop("user", {})}
        listen = [a for a in [*HOSTS.values(), LOGIN2, *more.pop("also", [])] if a not in skip]
        conf = self.dir / "login.json"
        conf.write_text(json.dumps({"id": self.name, "user": user, "service": more.pop("service", PUSH), "min": low, "max": high, "certs": table, "listen": listen, "plain": more.pop("plain", []), **more}))
        return self.spawn(where, "node", str(HERE / "login.mjs"), str(conf), ready=True)

    def gate(self, *args):
        return self.spawn("r", "python3", str(HERE / "gate.py"), *map(str, args), ready=True)

    def text(self, content):
        path = self.dir / f"text{len(self.started)}"
        path.write_bytes(content)
        return str(path)

    def inspector(self, brand, high="TLSv1.3", hosts=(LOGIN,)):
        """nginx on the router ends TLS with certificates of a product's issuer and asks the server anew."""
        cert, key = self.pki.pair(f"by-{brand}")
        table = "\n".join(f"  {h} {a};" for h, a in HOSTS.items())
        protocols = "TLSv1.2 TLSv1.3" if high == "TLSv1.3" else "TLSv1.2"
        conf = self.dir / "nginx.conf"
        conf.write_text(f"""worker_processes 1; daemon off; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err;
events {{}}
http {{ access_log off; client_body_temp_path {self.dir}; proxy_temp_path {self.dir}; fastcgi_temp_path {self.dir}; uwsgi_temp_path {self.dir}; scgi_temp_path {self.dir};
map $host $real {{
{table}
}}
server {{ listen {ROUTER}:9443 ssl; ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols {protocols};
 location / {{ proxy_pass https://$real; proxy_ssl_server_name on; proxy_ssl_name $host; proxy_set_header Host $host; proxy_http_version 1.1; }} }} }}
""")
        self.spawn("r", "nginx", "-c", str(conf))
        self.until(lambda: ":9443 " in self.on("r", "ss", "-lnt").stdout, "nginx")
        self.nft("\n".join(f"nat ip daddr {HOSTS[h]} tcp dport 443 redirect to :9443" for h in hosts))

    def squid(self, extra="http_access allow all\n", dns=RESOLVER):
        conf = self.dir / "squid.conf"
        helper = self.dir / "helper"
        helper.write_text("#!/bin/sh\nwhile read -r user password; do case $password in FAKESECRET-proxy1) echo OK;; *) echo ERR;; esac; done\n")
        helper.chmod(0o755)
        extra = extra.replace("{dir}", str(self.dir))
        conf.write_text(f"http_port {PROXY}:8080\nvisible_hostname proxy.contoso.example\ndns_nameservers {dns}\nacl CONNECT method CONNECT\n{extra}cache deny all\naccess_log none\ncache_log {self.dir}/squid.log\npid_filename {self.dir}/squid.pid\ncoredump_dir {self.dir}\nshutdown_lifetime 0 seconds\nvia on\nconnect_timeout 6 seconds\nforward_timeout 8 seconds\nnetdb_filename none\npinger_enable off\n")
        shutil.chown(self.dir, "proxy", "proxy")
        self.dir.chmod(0o755)
        self.spawn("r", "squid", "-N", "-n", f"lab{self.tag[3:]}", "-f", str(conf))
        self.until(lambda: ":8080 " in self.on("r", "ss", "-lnt").stdout, "squid")

    def trust(self, brand):
        """The client trusts the issuer of a product as well."""
        path = self.dir / "trusted.pem"
        path.write_text(Path(self.trusted).read_text() + (self.pki.dir / f"{brand}.pem").read_text())
        self.trusted = str(path)

    def apache(self):
        modules = "/usr/lib/apache2/modules"
        conf = self.dir / "apache.conf"
        loads = "\n".join(f"LoadModule {n}_module {modules}/mod_{n}.so" for n in ("mpm_event", "authz_core", "proxy", "proxy_connect"))
        conf.write_text(f"{loads}\nServerName proxy.contoso.example\nServerRoot {self.dir}\nPidFile {self.dir}/apache.pid\nErrorLog {self.dir}/apache.log\nListen {PROXY}:8080\nUser www-data\nGroup www-data\nProxyRequests On\nProxyVia On\nAllowCONNECT 443\nDefaultRuntimeDir {self.dir}\n")
        etc = Path("/etc/netns") / f"{self.tag}r"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions attempts:1\n")
        self.dir.chmod(0o755)
        self.spawn("r", "apache2", "-f", str(conf), "-DFOREGROUND")
        self.until(lambda: ":8080 " in self.on("r", "ss", "-lnt").stdout, "apache2")

    def socks(self):
        etc = Path("/etc/netns") / f"{self.tag}r"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        self.spawn("r", "microsocks", "-i", PROXY, "-p", "1080")
        self.until(lambda: ":1080 " in self.on("r", "ss", "-lnt").stdout, "microsocks")

    def s_server(self, address, *args, cert="login", where="s", answers=True):
        chain, key = self.pki.pair(cert)
        command = ["openssl", "s_server", "-accept", f"{address}:443", "-cert", chain, "-cert_chain", chain, "-key", key, "-quiet", *args]
        # Without an answer of its own it sends what it is given, and leaves when that ends.
        self.spawn(where, *([*command, "-www"] if answers else ["sh", "-c", 'sleep 300 | exec "$@"', "silent", *command]))
        self.until(lambda: f"{address}:443 " in self.on(where, "ss", "-lnt").stdout, "s_server")

    # The client.

    def record(self, *args):
        """tcpdump on the client's interface, whole frames unless told else."""
        path = self.dir / "raw.pcap"
        self.tcpdump = self.spawn("c", "tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-Z", "root", "-s", "0", *args, "-w", str(path))
        self.until(lambda: "listening on" in self.tcpdump.log.read_text(), "tcpdump")

    def recorded(self):
        time.sleep(0.4)
        self.stop(self.tcpdump, signal.SIGINT)
        log = self.tcpdump.log.read_text()
        if not re.search(r"^0 packets dropped by kernel", log, re.M):
            raise RuntimeError(f"{self.name}: {log}")
        return rewrite.rewrite((self.dir / "raw.pcap").read_bytes())

    def curl(self, *args, limit=40):
        done = self.on("c", "curl", "-sS", "--cacert", self.trusted, "-A", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "--max-time", str(limit), *args)
        with open(self.dir / "curl.log", "a") as log:
            log.write(f"{args}\n{done.returncode} {done.stderr[-600:]}\n")
        return done

    def get(self, *urls, tls=None, **more):
        """One curl, its connections used again between the addresses it fetches."""
        limit = more.pop("limit", 40)
        args = [x for k, v in more.items() for x in ([f"--{k.replace('_', '-')}"] + ([] if v is True else [str(v)]))]
        outs = [x for url in urls for x in (url, "-o", "/dev/null")]
        return self.curl(*(["--tls-max", tls] if tls else []), *args, *outs, limit=limit)

    def sign_in(self, **more):
        """What a sign-in fetches, without a browser: page, script, session pull, password, MFA page, polls, the way back."""
        self.get(f"https://{LOGIN}/common/oauth2/v2.0/authorize?client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40&response_type=code", f"https://{CDN}/shared/1.0/content/js/ConvergedLogin_PCore_k1v0standinaaaa2.js", **more)
        self.get(f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-6]", rate="60/m", **more)
        return self.get(f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/", **more)

    def home(self):
        """A home folder for a browser that trusts what the lab trusts."""
        home = self.dir / "home"
        store = home / ".pki" / "nssdb"
        if not store.exists():
            store.mkdir(parents=True)
            sh("certutil", "-N", "-d", f"sql:{store}", "--empty-password")
            trusted = Path(self.trusted).read_text().split("-----END CERTIFICATE-----")
            for n, part in enumerate(p for p in trusted if "BEGIN" in p):
                (self.dir / "one.pem").write_text(part + "-----END CERTIFICATE-----\n")
                sh("certutil", "-A", "-d", f"sql:{store}", "-t", "C,,", "-n", f"lab{n}", "-i", str(self.dir / "one.pem"))
        return home

    def chromium(self, url=f"https://{APP}/", seconds=12.0, extra=(), done=None, log=None):
        """A headless Chromium that lives through the page on its own; trusts what the lab trusts."""
        home = self.home()
        child = self.spawn(
            "c", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps",
            "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication", f"--user-data-dir={home}/profile", *(() if any("quic" in x for x in extra) else ("--disable-quic",)), *extra, url, env={"HOME": str(home)})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done and log and done in log.read_text():
                time.sleep(1.2)
                break
            time.sleep(0.2)
        self.stop(child)


# The corpus.

SUMS = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"
LAB = "ip.addr == 192.0.2.0/24 || ip.addr == 198.51.100.0/24 || dns.a == 198.51.100.0/24 || ipv6.addr == 2001:db8:28::/48"


def counts(path, conditions):
    """How many frames meet each condition, in one pass of tshark."""
    checked = [x for p in ("ip", "tcp", "udp") for x in ("-o", f"{p}.check_checksum:TRUE")]
    out = sh("tshark", "-n", "-q", "-r", str(path), *checked, "-z", ",".join(["io,stat,0", *conditions]))
    line = next(line for line in out.splitlines() if "<>" in line)
    return [int(n) for n in re.findall(r"\d+", line.split("|", 2)[2])[::2]]


def faults(path, story):
    """What is wrong with a recording: the mechanism it tells must be in it.

    What an ICMP error quotes may be cut, so there only its own checksum counts.
    """
    never = {"malformed": "_ws.malformed", "bad checksums": f"icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || (!icmp && !icmpv6 && ({SUMS}))"}
    never = {**({} if story["cut"] else never), "lab addresses": LAB, **{f"has {c}": c for c in story["lacks"]}}
    found = counts(path, [*never.values(), *story["has"]])
    wrong = [name for name, n in zip(never, found) if n]
    wrong += [f"lacks {c}" for c, n in zip(story["has"], found[len(never):]) if not n]
    if path.stat().st_size > 200_000:
        wrong.append(f"{path.stat().st_size} bytes")
    return wrong


def quote(value):
    return json.dumps(value, ensure_ascii=False)


def row(story, producer):
    """The row of a capture, laid out as the others are."""
    path = f"lab/{story['name']}.pcap"
    fields = {"path": path, "sha256": hashlib.sha256((CAPTURES / path).read_bytes()).hexdigest(), "origin": f"recorded from tests/lab ({story['setup']})", "producer": producer, "story": story["text"], "outcome": story["outcome"], "side": story["side"], "host": story["host"]}
    lines = [f"{k:<8} = {quote(v)}" for k, v in fields.items() if v is not None]
    lines += [f"{k:<8} = [{', '.join(quote(x) for x in story[k])}]" for k in ("expect", "forbid")]
    table = ", ".join(f"{k} = {quote(v)}" for k, v in story["covers"].items())
    lines.append(f"covers   = {{ {table} }}" if table else "covers   = {}")
    return path, "\n".join(lines) + "\n"


def write_rows(stories, known):
    """Puts the rows of `stories` in their places by path; every other byte of the manifest stays.

    A row of the lab whose story is in `known` no more goes.
    """
    producer = sh("tcpdump", "--version").splitlines()[0].replace("tcpdump version", "tcpdump")
    put_rows(dict(row(story, producer) for story in stories), "recorded from tests/lab (", {f"lab/{name}.pcap" for name in known})


def put_rows(rows, origin, keep):
    """Puts rows, text by path, in their places; of those whose origin begins with `origin`, only paths in `keep` stay."""
    file = CAPTURES / "manifest.toml"
    head, *blocks = file.read_text(encoding="utf-8").split("[[capture]]\n")
    if blocks and not blocks[-1].endswith("\n"):
        blocks[-1] += "\n"
    parts = {re.search(r'^path\s*= "([^"]*)"', b, re.M)[1]: b for b in blocks}
    ours = lambda b: re.search(r'^origin\s*= "' + re.escape(origin), b, re.M)
    parts = {p: b for p, b in parts.items() if not ours(b) or p in keep}
    for path, text in rows.items():
        if path in parts:
            last = not parts[path].endswith("\n\n")
            parts[path] = text if last else text + "\n"
            continue
        order = list(parts)
        at = next((n for n, p in enumerate(order) if p > path), len(order))
        if at == len(order) and order and not parts[order[-1]].endswith("\n\n"):
            parts[order[-1]] += "\n"
            text = text[:-1] + "\n"
        items = list(parts.items())
        items.insert(at, (path, text + ("\n" if at < len(order) else "")))
        parts = dict(items)
    file.write_text(head + "".join("[[capture]]\n" + b for b in parts.values()), encoding="utf-8")
