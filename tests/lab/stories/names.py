"""Stories of name resolution."""

from lab import APP, DEVICE, HOSTS, LOGIN, RESOLVER, RESOLVER2, TELEMETRY
from stories.label import AUTHORIZE, NETWORK_RULES, TO_LOGIN, broken, healthy, unreadable

BELOW = [LOGIN, DEVICE, "autologon.microsoftazuread-sso.com"]
ASKED = f'dns.qry.name == "{LOGIN}"'


@broken("dns-nxdomain", "dnsmasq denies the name", "The name of the sign-in host does not exist for the company's name server.", expect=["DNS001"], has=[f"dns.flags.rcode == 3 && {ASKED}"], lacks=[TO_LOGIN])
def dns_nxdomain(lab):
    lab.up()
    lab.dns(skip=BELOW)
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("dns-nxdomain-browser", "dnsmasq denies the name, Chromium", "A browser is sent to the sign-in host by the application and finds no such name.", expect=["DNS001"], has=[f"dns.flags.rcode == 3 && {ASKED}", "dns.qry.type == 65"], lacks=[TO_LOGIN])
def dns_nxdomain_browser(lab):
    lab.up()
    lab.dns(skip=BELOW)
    lab.login()
    lab.record()
    lab.chromium(seconds=7)


@broken("dns-refused", "dnsmasq that may not ask on", "The name server refuses the name of the sign-in host.", expect=["DNS003"], has=[f"dns.flags.rcode == 5 && {ASKED}"], lacks=[TO_LOGIN])
def dns_refused(lab):
    lab.up()
    lab.dns(skip=BELOW, unknown="refused")
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("dns-servfail", "dnsmasq before a server that fails", "The name server answers SERVFAIL for the sign-in host.", expect=["DNS003"], has=[f"dns.flags.rcode == 2 && {ASKED}"], lacks=[TO_LOGIN])
def dns_servfail(lab):
    lab.up()
    lab.gate("dns", "127.0.0.1", 5301, RESOLVER, '{"*": 2}')
    lab.dns(skip=BELOW, extra=f"server=/{LOGIN}/127.0.0.1#5301\n")
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("dns-no-answer", "nft drop of port 53", "No name server answers any query.", expect=["DNS002"], has=["dns.flags.response == 0"], lacks=["dns.flags.response == 1", "tcp"])
def dns_no_answer(lab):
    lab.up(filters="input udp dport 53 drop\ninput tcp dport 53 drop")
    lab.dns()
    lab.record()
    lab.get(AUTHORIZE, limit=22)


@broken("dns-cut-tcp-dropped", "name server that cuts its answers, nft drop of port 53 over TCP", "The answer for the sign-in host does not fit and is cut; the question over TCP is never answered.", expect=["DNS002"], forbid=["DNS001"], has=[f"dns.flags.truncated == 1 && {ASKED}", "tcp.flags == 0x002 && tcp.dstport == 53"], lacks=[TO_LOGIN])
def dns_cut_tcp_dropped(lab):
    lab.up(filters="input tcp dport 53 drop")
    lab.dns(port=5300)
    lab.gate("dns", RESOLVER, 53, f"{RESOLVER}:5300", '{"*": "cut"}', LOGIN)
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, limit=25)
    lab.get(AUTHORIZE, limit=25)


@broken("dns-port-unreachable", "no name server runs, ICMP port unreachable", "The computer's name server is not there: each query is answered by ICMP port unreachable.", expect=["DNS002"], has=["icmp.type == 3 && icmp.code == 3 && dns"], lacks=["dns.flags.response == 1", "tcp"])
def dns_port_unreachable(lab):
    lab.up()
    lab.record()
    lab.get(AUTHORIZE, limit=22)
    lab.get(AUTHORIZE, limit=22)


@broken("dns-sinkhole-zero", "dnsmasq answers 0.0.0.0", "A DNS filter answers 0.0.0.0 for the sign-in host.", expect=["DNS004"], has=["dns.a == 0.0.0.0"], lacks=[TO_LOGIN])
def dns_sinkhole_zero(lab):
    lab.up()
    lab.dns(skip=[LOGIN], extra=f"address=/{LOGIN}/0.0.0.0\n")
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("dns-sinkhole-filter", "dnsmasq answers a filter's address, openssl s_server there with the filter's issuer", "A DNS filter answers with the address of its block page; what stands there has a certificate of its own, which the client refuses.", expect=["DNS004"], has=["dns.a == 146.112.61.106", "tls.alert_message.desc == 48"], lacks=[TO_LOGIN])
def dns_sinkhole_filter(lab):
    lab.up()
    lab.dns(skip=[LOGIN], extra=f"address=/{LOGIN}/146.112.61.106\n")
    lab.login()
    lab.run(lab.tag + "r", "ip", "addr", "add", "146.112.61.106/32", "dev", "lan")
    lab.s_server("146.112.61.106", "-tls1_2", cert="by-umbrella", where="r")
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@unreadable("dns-private-gateway", "dnsmasq answers a private address, nft dnat to the server", "The company resolves the sign-in host to a private gateway, which passes everything on.", forbid=NETWORK_RULES, has=["dns.a == 10.20.9.14", "tls.app_data && ip.src == 10.20.9.14"])
def dns_private_gateway(lab):
    lab.up(filters=f"nat ip daddr 10.20.9.14 tcp dport 443 dnat to {HOSTS[LOGIN]}")
    lab.dns(addresses={LOGIN: "10.20.9.14"})
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-aaaa-refused", "name server that refuses AAAA", "The name server refuses AAAA queries and answers A: the sign-in works over IPv4.", has=["dns.flags.rcode == 5 && dns.qry.type == 28"], covers=["DNS005"])
def dns_aaaa_refused(lab):
    lab.up()
    lab.dns(port=5300)
    lab.gate("dns", RESOLVER, 53, f"{RESOLVER}:5300", '{"AAAA": 5}')
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-aaaa-nxdomain", "name server that denies AAAA", "A broken name server says NXDOMAIN to AAAA and answers A: the sign-in works.", has=[f"dns.flags.rcode == 3 && dns.qry.type == 28 && {ASKED}"])
def dns_aaaa_nxdomain(lab):
    lab.up()
    lab.dns(port=5300)
    lab.gate("dns", RESOLVER, 53, f"{RESOLVER}:5300", '{"AAAA": 3}')
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-first-query-lost", "nft drops the first query", "The first query for the sign-in host gets lost; the next one is answered.", has=["dns.retransmit_request || dns.flags.response == 0 && frame.time_relative > 4"])
def dns_first_query_lost(lab):
    lab.up(filters="input udp dport 53 numgen inc mod 100000 0 drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-first-resolver-dead", "nft drops what goes to the first of two name servers", "The first name server never answers, the second does: each look-up is slow and works.", has=["dns && ip.dst == 10.20.3.54"])
def dns_first_resolver_dead(lab):
    lab.up(filters=f"input ip daddr {RESOLVER} udp dport 53 drop")
    lab.resolv(f"nameserver {RESOLVER}\nnameserver {RESOLVER2}\noptions timeout:2\n")
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-servfail-then-second", "the first of two name servers fails", "The first name server answers SERVFAIL, the second has the name: the sign-in works.", has=[f"dns.flags.rcode == 2 && {ASKED}", "dns.flags.rcode == 0 && dns.a && ip.src == 10.20.3.54"], covers=["DNS005"])
def dns_servfail_then_second(lab):
    lab.up()
    lab.resolv(f"nameserver {RESOLVER}\nnameserver {RESOLVER2}\n")
    lab.dns(at=[RESOLVER2])
    lab.gate("dns", RESOLVER, 53, RESOLVER2, '{"*": 2}')
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-search-suffix", "resolver with a search list", "The client tries the company's suffix first: NXDOMAIN for that name, then the right one is asked for.", has=['dns.flags.rcode == 3 && dns.qry.name == "login.microsoftonline.com.contoso.example"'])
def dns_search_suffix(lab):
    lab.up()
    lab.resolv(f"search contoso.example\nnameserver {RESOLVER}\noptions ndots:5\n")
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-over-tcp", "resolver that asks over TCP", "All look-ups go over TCP.", has=["tcp.port == 53 && dns.flags.response == 1"], lacks=["udp.port == 53"])
def dns_over_tcp(lab):
    lab.up()
    lab.resolv(f"nameserver {RESOLVER}\noptions use-vc\n")
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("dns-telemetry-sinkholed", "dnsmasq answers 0.0.0.0 for the telemetry host", "A filter hides the telemetry host at 0.0.0.0; the sign-in works.", has=["dns.a == 0.0.0.0"])
def dns_telemetry_sinkholed(lab):
    lab.up()
    lab.dns(skip=[TELEMETRY], extra=f"address=/{TELEMETRY}/0.0.0.0\n")
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, f"https://{TELEMETRY}/OneCollector/1.0/")
    lab.sign_in()


@healthy("dns-telemetry-denied", "dnsmasq denies the telemetry host", "The telemetry host has no address; the sign-in works.", has=[f'dns.flags.rcode == 3 && dns.qry.name == "{TELEMETRY}"'])
def dns_telemetry_denied(lab):
    lab.up()
    lab.dns(skip=[TELEMETRY])
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, f"https://{TELEMETRY}/OneCollector/1.0/")
    lab.sign_in()
    lab.get(f"https://{TELEMETRY}/OneCollector/1.0/")
