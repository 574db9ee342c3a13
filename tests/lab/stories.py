"""The stories of the lab and what each must be called, written down before any of them is recorded.

A label follows SPEC sections 4 and 5: a side network only where a host that the sign-in needs cannot be reached;
an encrypted sign-in over a healthy network is `unreadable` and accuses nobody.
"""

from lab import APP, CDN, CDN2, DEVICE, HOSTS, LIVE, LOGIN, LOGIN2, LOGIN6, OFFICE, PROXY, RESOLVER, RESOLVER2, ROUTER, TELEMETRY

STORIES = []
AUTHORIZE = f"https://{LOGIN}/common/oauth2/v2.0/authorize?client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40&response_type=code"
HELLO, SERVER_HELLO, RESET = "tls.handshake.type == 1", "tls.handshake.type == 2", "tcp.flags.reset == 1"
AT_LOGIN = "ip.dst == 20.190.160.14"
NETWORK_RULES = ["DNS001", "DNS002", "DNS003", "DNS004", "TCP001", "TCP002", "TCP003", "TCP004", "PRX001", "PRX002", "PRX003", "PRX004", "PRX006", "TLS001", "TLS002", "TLS003", "TLS005", "TLS006", "TLS007"]


def told(outcome, side, host=None):
    def label(name, setup, text, expect=(), forbid=(), covers=None, has=(), lacks=(), cut=False):
        def add(play):
            STORIES.append({"name": name, "setup": setup, "text": text, "outcome": outcome, "side": side, "host": host, "expect": list(expect), "forbid": list(forbid), "covers": covers or {}, "has": list(has), "lacks": list(lacks), "cut": cut, "play": play})
            return play
        return add
    return label


broken = told("sign_in_prevented_by_network", "network", LOGIN)
broken_scripts = told("sign_in_prevented_by_network", "network", CDN)
unreadable = told("unreadable", "cannot_tell")


def healthy(name, setup, text, forbid=NETWORK_RULES, **more):
    return unreadable(name, setup, text, forbid=forbid, **more)


# The sign-in works.

@healthy("healthy-tls13", "Chromium, stand-in over TLS 1.3", "A browser signs in with a push that is approved; TLS 1.3, nothing can be read, nothing is wrong.", has=["tls.handshake.extensions.supported_version == 0x0304 && " + SERVER_HELLO, "tls.handshake.extensions_server_name == " + f'"{OFFICE}"'.replace(OFFICE, APP)], lacks=[])
def healthy_tls13(lab):
    lab.up()
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)


@healthy("healthy-tls12", "Chromium, stand-in over TLS 1.2", "The same over TLS 1.2: the certificates can be seen and are the right ones.", has=["tls.handshake.type == 11", 'x509sat.printableString contains "DigiCert Inc" || x509sat.uTF8String contains "DigiCert Inc"'], lacks=["tls.handshake.extensions.supported_version == 0x0304 && " + SERVER_HELLO])
def healthy_tls12(lab):
    lab.up()
    lab.dns()
    server = lab.login(high="TLSv1.2")
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)


@healthy("healthy-polls", "curl, a poll each second on one connection", "A challenge is polled for twenty seconds, small requests and answers once a second on one connection, then finished.", has=["tcp.stream == 0 && tls.app_data"])
def healthy_polls(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-20]", f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/", rate="60/m")


# The login host cannot be connected to.

@broken("no-answer", "nft drop", "The sign-in host never answers a SYN.", expect=["TCP001"], covers={"TCP001": "positive"}, has=["tcp.flags == 0x002 && " + AT_LOGIN, "tcp.analysis.retransmission"], lacks=["ip.src == 20.190.160.14"])
def no_answer(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[LOGIN]} tcp dport 443 drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, connect_timeout=16)


@broken("refused", "nft reject with tcp reset", "The sign-in host refuses each connection.", expect=["TCP002"], covers={"TCP002": "positive"}, has=["tcp.flags.reset == 1 && tcp.flags.ack == 1 && ip.src == 20.190.160.14"], lacks=["tcp.flags == 0x012 && ip.src == 20.190.160.14"])
def refused(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[LOGIN]} tcp dport 443 reject with tcp reset")
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, retry=1, retry_connrefused=True)


@broken("icmp-prohibited", "nft reject with icmp type admin-prohibited", "A router answers each SYN with ICMP administratively prohibited.", expect=["TCP004"], covers={"TCP004": "positive"}, has=["icmp.type == 3 && icmp.code == 13"], lacks=["tcp.flags == 0x012"])
def icmp_prohibited(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[LOGIN]} tcp dport 443 reject with icmp type admin-prohibited")
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, retry=1, retry_connrefused=True)


# Names.

@broken("dns-nxdomain", "dnsmasq denies the name", "The name of the sign-in host does not exist for the company's name server.", expect=["DNS001"], covers={"DNS001": "positive"}, has=["dns.flags.rcode == 3 && dns.qry.name == \"login.microsoftonline.com\""], lacks=[AT_LOGIN])
def dns_nxdomain(lab):
    lab.up()
    lab.dns(skip=[LOGIN, DEVICE, "autologon.microsoftazuread-sso.com"])
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("dns-no-answer", "nft drop of port 53", "No name server answers any query.", expect=["DNS002"], covers={"DNS002": "positive"}, has=["dns.flags.response == 0"], lacks=["dns.flags.response == 1", "tcp"])
def dns_no_answer(lab):
    lab.up(filters="input udp dport 53 drop\ninput tcp dport 53 drop")
    lab.dns()
    lab.record()
    lab.get(AUTHORIZE, limit=22)


@broken("hello-reset-injected", "a box on the line reads the ClientHello and injects resets", "The connection opens, then a reset follows each ClientHello with the name of the sign-in host; other hosts work.", expect=["TLS007"], covers={"TLS007": "positive"}, has=[HELLO, RESET + " && ip.src == 20.190.160.14"], lacks=[SERVER_HELLO + " && ip.src == 20.190.160.14"])
def hello_reset_injected(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "reset", "ttl": 118}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(3):
        lab.get(AUTHORIZE)


@broken("hello-closed", "nft redirect to a server that closes after the ClientHello", "The connection opens and is closed after each ClientHello.", expect=["TLS007"], covers={"TLS007": "positive"}, has=[HELLO, "tcp.flags.fin == 1 && ip.src == 20.190.160.14"], lacks=[SERVER_HELLO + " && ip.src == 20.190.160.14"])
def hello_closed(lab):
    lab.up(filters=f"nat ip daddr {HOSTS[LOGIN]} tcp dport 443 redirect to :9443")
    lab.dns()
    lab.login()
    lab.gate("close", ROUTER, 9443)
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(3):
        lab.get(AUTHORIZE)
