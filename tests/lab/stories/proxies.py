"""Stories of explicit proxies and captive portals."""

from lab import APP, CDN, CDN2, HOSTS, LOGIN, OFFICE, PROXY, ROUTER, TELEMETRY
from stories.label import AT, AUTHORIZE, HELLO, NETWORK_RULES, RESET, broken, healthy, undetermined, unreadable

THROUGH = "http://proxy.contoso.example:8080"
ASKED = 'http.request.method == "CONNECT" && http.request.uri contains "login.microsoftonline.com"'
SECRET = "adele:FAKESECRET-proxy1"
AUTH = "auth_param basic program {dir}/helper\nauth_param basic realm Contoso proxy\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://portal.hotel.example/login?client=192.0.2.71\r\nServer: nodogsplash\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CHECK = "http://www.msftconnecttest.com/connecttest.txt"


def proxied(name, setup, text):
    """A sign-in that works through a proxy: its data come from the proxy's address."""
    return unreadable(name, setup, text, forbid=NETWORK_RULES, has=[ASKED, "http.response.code == 200", "tls.app_data && ip.src == 10.20.3.8"])


@broken("proxy-refuses", "squid denies CONNECT to the sign-in host", "The proxy answers CONNECT to the sign-in host with 403; other hosts get through.", expect=["PRX001"], has=[ASKED, "http.response.code == 403"])
def proxy_refuses(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.squid(f"acl sts dstdomain {LOGIN}\nhttp_access deny sts\nhttp_access allow all\n")
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, proxy=THROUGH)
    lab.get(AUTHORIZE, proxy=THROUGH)


@broken("proxy-wants-credentials", "squid with Basic authentication, curl without credentials", "The proxy answers with 407 and the program has no credentials.", expect=["PRX002"], has=[ASKED, "http.response.code == 407"], lacks=["http.response.code == 200"])
def proxy_wants_credentials(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.squid(AUTH)
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, proxy=THROUGH)


@broken("proxy-refuses-credentials", "squid with Basic authentication, curl with a wrong password", "The proxy answers with 407, also to the credentials that it then gets.", expect=["PRX002"], has=["http.proxy_authorization", "http.response.code == 407"], lacks=["http.response.code == 200"])
def proxy_refuses_credentials(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.squid(AUTH)
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, proxy=THROUGH, proxy_user="adele:FAKESECRET-old", proxy_anyauth=True)


@proxied("proxy-credentials-then-through", "squid with Basic authentication, curl with credentials", "The proxy answers with 407 once for each connection and then lets through: harmless.")
def proxy_credentials_then_through(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.squid(AUTH)
    lab.record()
    lab.sign_in(proxy=THROUGH, proxy_user=SECRET, proxy_anyauth=True)


@broken("proxy-upstream-refused", "squid before a host that refuses", "The proxy cannot connect to the sign-in host and answers 503.", expect=["PRX003"], has=[ASKED, "http.response.code == 503"])
def proxy_upstream_refused(lab):
    lab.up(filters=f"output {AT} reject with tcp reset")
    lab.dns()
    lab.login()
    lab.squid()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, proxy=THROUGH)
    lab.get(AUTHORIZE, proxy=THROUGH)


@broken("proxy-upstream-unanswered", "squid before a host that does not answer", "The proxy waits for the sign-in host in vain and answers 503 or 504.", expect=["PRX003"], has=[ASKED, "http.response.code == 503 || http.response.code == 504"])
def proxy_upstream_unanswered(lab):
    lab.up(filters=f"output {AT} drop")
    lab.dns()
    lab.login()
    lab.squid()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, proxy=THROUGH)


@broken("proxy-upstream-unresolved", "squid whose name server denies the sign-in host", "The proxy finds no address for the sign-in host and answers with an error of its own, 500 or 503.", has=[ASKED, "http.response.code == 500 || http.response.code == 503"])
def proxy_upstream_unresolved(lab):
    lab.up()
    lab.dns(skip=[LOGIN, "device.login.microsoftonline.com"])
    lab.login()
    lab.squid()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, proxy=THROUGH)
    lab.get(AUTHORIZE, proxy=THROUGH)


@broken("proxy-bad-gateway", "Apache as proxy whose name server denies the sign-in host", "The proxy finds no address for the sign-in host and answers 502.", expect=["PRX003"], has=[ASKED, "http.response.code == 502"])
def proxy_bad_gateway(lab):
    lab.up()
    lab.dns(skip=[LOGIN, "device.login.microsoftonline.com"])
    lab.login()
    lab.apache()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, proxy=THROUGH)
    lab.get(AUTHORIZE, proxy=THROUGH)


@undetermined("proxy-refused", "a proxy is set, nothing listens there", "The proxy's port refuses each connection.", expect=["PRX005"], has=[RESET + " && ip.src == 10.20.3.8"], lacks=[ASKED])
def proxy_refused(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, proxy=THROUGH)


@proxied("proxy-through", "Chromium through squid", "A browser signs in through a proxy; all tunnels open.")
def proxy_through(lab):
    lab.up()
    lab.dns()
    server = lab.login()
    lab.squid()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log, extra=[f"--proxy-server={THROUGH}"])


@proxied("proxy-refuses-telemetry", "squid denies CONNECT to the telemetry host", "The proxy refuses the telemetry host with 403; the sign-in works.")
def proxy_refuses_telemetry(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.squid(f"acl data dstdomain {TELEMETRY}\nhttp_access deny data\nhttp_access allow all\n")
    lab.record()
    lab.get(AUTHORIZE, f"https://{TELEMETRY}/OneCollector/1.0/", proxy=THROUGH)
    lab.sign_in(proxy=THROUGH)


@broken("proxy-tunnel-reset", "squid, and a box behind it that resets the sign-in host's ClientHello", "The proxy opens the tunnel; after the ClientHello inside it the connection ends.", expect=["TLS007"], has=[ASKED, "http.response.code == 200", HELLO + " && ip.dst == 10.20.3.8"])
def proxy_tunnel_reset(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "reset"}]})
    lab.dns()
    lab.login()
    lab.squid()
    lab.record()
    for _ in range(3):
        lab.get(AUTHORIZE, proxy=THROUGH)


@unreadable("socks-through", "curl through microsocks", "The sign-in goes through a SOCKS5 proxy and works.", forbid=NETWORK_RULES, has=["socks.version == 5", "tls.app_data && ip.src == 10.20.3.8"])
def socks_through(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.socks()
    lab.record()
    lab.sign_in(socks5_hostname="proxy.contoso.example:1080")


@broken("socks-upstream-refused", "curl through microsocks, the host behind it refuses", "The SOCKS5 proxy cannot connect to the sign-in host and says so.", expect=["PRX003"], has=["socks.version == 5"], lacks=["tls"])
def socks_upstream_refused(lab):
    lab.up(filters=f"output {AT} reject with tcp reset")
    lab.dns()
    lab.login()
    lab.socks()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, socks5_hostname="proxy.contoso.example:1080")


# Captive portals.

@broken("captive-portal", "nft redirects port 80 to a portal and rejects 443", "The network wants a log-in: the connectivity check is sent to a portal, HTTPS is refused.", expect=["PRX006"], has=["http.response.code == 302", RESET + " && ip.src == 20.190.160.14"])
def captive_portal(lab):
    lab.up(filters=f"nat ip daddr 198.51.100.0/24 tcp dport 80 redirect to :9080\nforward ip daddr 198.51.100.0/24 tcp dport 443 reject with tcp reset")
    lab.dns()
    lab.login()
    lab.gate("portal", ROUTER, 9080, lab.text(PORTAL))
    lab.record()
    lab.get(CHECK)
    lab.get(AUTHORIZE)
    lab.get(f"http://{LOGIN}/", CHECK)
    lab.get(AUTHORIZE)


@healthy("captive-portal-passed", "nft redirects port 80 to a portal until the user has logged in", "The connectivity check is redirected once; after the log-in at the portal the sign-in works.", has=["http.response.code == 302"])
def captive_portal_passed(lab):
    lab.up(filters="nat ip daddr 198.51.100.0/24 tcp dport 80 redirect to :9080")
    lab.dns()
    lab.login(plain=[HOSTS["www.msftconnecttest.com"]])
    lab.gate("portal", ROUTER, 9080, lab.text(PORTAL))
    lab.record()
    lab.get(CHECK)
    lab.flush()
    lab.get(CHECK)
    lab.sign_in()


@broken("block-page", "nft redirects port 80 to a block page and drops 443", "The user opens the sign-in host by http and gets a filter's block page; HTTPS is dropped.", expect=["PRX004"], has=["http.response.code == 403 && ip.src == 20.190.160.14", "tcp.flags == 0x002 && tcp.dstport == 443 && tcp.analysis.retransmission"])
def block_page(lab):
    page = b"<html><head><title>Web Page Blocked!</title></head><body><h1>FortiGuard Intrusion Prevention - Access Blocked</h1><h2>Web Page Blocked</h2><p>You have tried to access a web page that is in violation of your Internet usage policy.</p><p>Client IP 192.0.2.71</p></body></html>"
    text = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Length: " + str(len(page)).encode() + b"\r\n\r\n" + page
    lab.up(filters=f"nat ip daddr {HOSTS[LOGIN]} tcp dport 80 redirect to :9080\nforward {AT} drop")
    lab.dns()
    lab.login()
    lab.gate("text", ROUTER, 9080, lab.text(text))
    lab.record()
    lab.get(f"http://{LOGIN}/common/oauth2/v2.0/authorize", AUTHORIZE, connect_timeout=8)
    lab.get(f"http://{LOGIN}/")
