"""Stories of sign-ins that work, on good and on poor networks, and of recordings that lack something."""

import signal
import time

from lab import APP, CDN, CDN2, DEVICE, HOSTS, LIVE, LOGIN, OFFICE, TELEMETRY
from stories.label import AT, AUTHORIZE, DATA, HELLO, NETWORK_RULES, RESET, SCRIPT, SERVER_HELLO, broken_scripts, healthy, undetermined, unreadable


@healthy("healthy-tls13", "Chromium, stand-in over TLS 1.3", "A browser signs in with a push that is approved; TLS 1.3, nothing can be read, nothing is wrong.", has=["tls.handshake.extensions.supported_version == 0x0304 && " + SERVER_HELLO])
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


@healthy("healthy-polls", "curl, a poll each second on one connection", "A challenge is polled for twenty seconds, small requests and answers once a second on one connection, then finished.", expect=["MFA009"], covers=["MFA009"])
def healthy_polls(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-20]", f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/", rate="60/m")



@healthy("loss", "3 % of the frames lost on the line", "Three of a hundred frames get lost; everything is sent again and works.", has=["tcp.analysis.retransmission || tcp.analysis.fast_retransmission"], covers=["CAP014", "CAP016", "TCP006", "TCP007"])
def loss(lab):
    lab.up(wire={"loss": 0.03, "seed": 11})
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()
    lab.sign_in()


@healthy("reordering", "every tenth frame late by 12 ms", "Frames overtake each other; nothing is missing.", has=["tcp.analysis.out_of_order || tcp.analysis.retransmission || tcp.analysis.lost_segment"])
def reordering(lab):
    lab.up(wire={"reorder": 0.1, "seed": 5})
    lab.dns()
    lab.login(pad={CDN: 60000})
    lab.record()
    lab.sign_in()


@healthy("duplicates", "every tenth frame arrives twice", "Frames arrive twice; nothing is missing.", has=["tcp.analysis.retransmission || tcp.analysis.duplicate_ack || tcp.analysis.spurious_retransmission"])
def duplicates(lab):
    lab.up(wire={"dup": 0.1, "seed": 3})
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("slow-line", "400 ms of delay", "A line by satellite: each round trip takes 800 ms, nothing is wrong.", has=["tcp.analysis.initial_rtt > 0.7"])
def slow_line(lab):
    lab.up(wire={"delay": 400})
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("browser-on-poor-network", "Chromium; 2 % lost, 5 % late, 2 % twice", "A browser signs in over a poor wireless network.", has=["tcp.analysis.flags"])
def browser_on_poor_network(lab):
    lab.up(wire={"loss": 0.02, "reorder": 0.05, "dup": 0.02, "delay": 20, "seed": 2})
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=30, done=f"POST {APP}", log=server.log)


@healthy("first-syn-lost", "nft drops the first SYN", "The first SYN gets lost, the second is answered.", has=["tcp.flags == 0x002 && tcp.analysis.retransmission"])
def first_syn_lost(lab):
    lab.up(filters=f"forward {AT} tcp flags & (syn|ack) == syn numgen inc mod 100000 0 drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("server-closes-idle", "stand-in that closes after 1.5 s", "The server closes connections that are idle; the client opens new ones.", has=["tcp.flags.fin == 1 && ip.src == 20.190.160.14"])
def server_closes_idle(lab):
    lab.up()
    lab.dns()
    lab.login(keep=1500)
    lab.record()
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-5]", rate="15/m")


@healthy("telemetry-unanswered", "nft drops the telemetry host", "The telemetry host never answers; the sign-in works.", has=["tcp.flags == 0x002 && ip.dst == 20.189.173.90 && tcp.analysis.retransmission"], lacks=["ip.src == 20.189.173.90"])
def telemetry_unanswered(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[TELEMETRY]} drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, f"https://{TELEMETRY}/OneCollector/1.0/", connect_timeout=5)
    lab.sign_in()


@healthy("telemetry-reset", "a box resets the telemetry host's ClientHello", "Each connection to the telemetry host is reset after its ClientHello; the sign-in works.", has=[RESET + " && ip.src == 20.189.173.90"])
def telemetry_reset(lab):
    lab.up(wire={"hello": [{"name": TELEMETRY, "do": "reset"}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.get(f"https://{TELEMETRY}/OneCollector/1.0/")
    lab.sign_in()
    lab.get(f"https://{TELEMETRY}/OneCollector/1.0/")


@healthy("session-pull-refused", "Chromium; nft rejects login.live.com", "The session pull at the personal-account host is refused, which does no harm.", has=[RESET + " && ip.src == 20.190.160.4"])
def session_pull_refused(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[LIVE]} tcp dport 443 reject with tcp reset")
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)


@healthy("first-script-root-refused", "Chromium; nft rejects the first script host", "The first script root refuses, the page takes the second one and the sign-in works.", has=[RESET + " && ip.src == 13.107.246.45", "tls.app_data && ip.src == 13.107.213.46"])
def first_script_root_refused(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[CDN]} tcp dport 443 reject with tcp reset")
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)


@healthy("first-script-root-unanswered", "Chromium; nft drops the first script host", "The first script root never answers, the page waits, takes the second one, and the sign-in works.", has=["tcp.flags == 0x002 && ip.dst == 13.107.246.45 && tcp.analysis.retransmission", "tls.app_data && ip.src == 13.107.213.46"], lacks=["ip.src == 13.107.246.45"])
def first_script_root_unanswered(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[CDN]} drop")
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=90, done=f"POST {APP}", log=server.log)


@broken_scripts("both-script-roots-unanswered", "Chromium; nft drops both script hosts", "Neither script root answers: the first page stays blank.", expect=["TCP001"], has=[DATA, "tcp.flags == 0x002 && ip.dst == 13.107.246.45", "tcp.flags == 0x002 && ip.dst == 13.107.213.46"], lacks=["ip.src == 13.107.246.45", "ip.src == 13.107.213.46"])
def both_script_roots_unanswered(lab):
    lab.up(filters=f"forward ip daddr {{ {HOSTS[CDN]}, {HOSTS[CDN2]} }} drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=36)


@broken_scripts("both-script-roots-reset", "Chromium; a box resets both script hosts' ClientHellos", "Connections to both script roots are reset after the ClientHello: the first page stays blank.", expect=["TLS007"], has=[DATA, RESET + " && ip.src == 13.107.246.45", RESET + " && ip.src == 13.107.213.46"], lacks=[SERVER_HELLO + " && ip.src == 13.107.246.45"])
def both_script_roots_reset(lab):
    lab.up(wire={"hello": [{"name": CDN, "do": "reset"}, {"name": CDN2, "do": "reset"}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=9)


@broken_scripts("both-script-roots-denied", "Chromium; dnsmasq denies both script hosts", "Neither script root has an address: the first page stays blank.", expect=["DNS001"], has=[DATA, f'dns.flags.rcode == 3 && dns.qry.name == "{CDN}"', f'dns.flags.rcode == 3 && dns.qry.name == "{CDN2}"'])
def both_script_roots_denied(lab):
    lab.up()
    lab.dns(skip=[CDN, CDN2])
    lab.login()
    lab.record()
    lab.chromium(seconds=9)


@healthy("quic-dropped", "Chromium, server that offers HTTP/3; nft drops UDP 443", "The server offers HTTP/3, QUIC gets no answer, and TCP is used: harmless.", has=["quic", "udp.dstport == 443"], lacks=["udp.srcport == 443"])
def quic_dropped(lab):
    lab.up(filters="forward udp dport 443 drop")
    lab.dns()
    server = lab.login(offer=[CDN, CDN2, LOGIN, APP])
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log, extra=["--enable-quic"])


@healthy("quic-prohibited", "Chromium, server that offers HTTP/3; nft rejects UDP 443", "The server offers HTTP/3, QUIC is answered by ICMP prohibited, and TCP is used: harmless.", has=["icmp.code == 13 && udp.dstport == 443"])
def quic_prohibited(lab):
    lab.up(filters="forward udp dport 443 reject with icmp type admin-prohibited")
    lab.dns()
    server = lab.login(offer=[CDN, CDN2, LOGIN, APP])
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log, extra=["--enable-quic"])


# Recordings that lack something.

@undetermined("one-direction-out", "tcpdump -Q out", "Only what the client sent was recorded; nothing can be said of answers.", expect=["CAP015"], forbid=NETWORK_RULES, has=[HELLO], lacks=["ip.dst == 10.20.3.71"], covers=["CAP015"])
def one_direction_out(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record("-Q", "out")
    lab.sign_in()


@undetermined("one-direction-in", "tcpdump -Q in", "Only what the client received was recorded.", expect=["CAP015"], forbid=NETWORK_RULES, has=[SERVER_HELLO], lacks=["ip.src == 10.20.3.71"], covers=["CAP015"])
def one_direction_in(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record("-Q", "in")
    lab.sign_in()


@healthy("starts-mid-connection", "tcpdump begins while polls run", "The capture begins while a connection to the sign-in host is open and polls run on it; later a new one is opened.", has=["tcp.stream == 0 && tls.app_data", HELLO])
def starts_mid_connection(lab):
    lab.up()
    lab.dns()
    lab.login()
    polls = lab.spawn("c", "curl", "-s", "--cacert", lab.trusted, "--rate", "60/m", f"https://{LOGIN}/common/SAS/BeginAuth", "-o", "/dev/null", f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-9]", "-o", "/dev/null")
    time.sleep(3.3)
    lab.record()
    polls.wait(30)
    lab.get(f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/")


@healthy("ends-mid-connection", "tcpdump ends while polls run", "The capture ends while polls run on an open connection.")
def ends_mid_connection(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    lab.spawn("c", "curl", "-s", "--cacert", lab.trusted, "--rate", "60/m", AUTHORIZE, "-o", "/dev/null", f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-30]", "-o", "/dev/null")
    time.sleep(7)
    lab.stop(lab.tcpdump, signal.SIGINT)


@undetermined("snaplen-96", "tcpdump -s 96", "Only the first 96 bytes of each frame were recorded; the connections are healthy.", expect=["CAP013"], forbid=NETWORK_RULES, has=["frame.cap_len < frame.len", "tcp.flags == 0x012 && ip.src == 20.190.160.14"], cut=True, covers=["CAP013"])
def snaplen_96(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record("-s", "96")
    lab.sign_in()
