"""Stories of connections: not opened, cut, stalled, and the look-alikes of these."""

import re
import threading
import time

from lab import APP, HOSTS, LOGIN, LOGIN2, LOGIN6, OFFICE, ROUTER
from stories.label import AT, AUTHORIZE, DATA, FROM_LOGIN, HELLO, NO_HELLO_BACK, OPEN, RESET, TO_LOGIN, broken, healthy, unreadable

POLLS = f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[1-12]"


def later(seconds, act):
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer


@broken("no-answer", "nft drop", "The sign-in host never answers a SYN.", expect=["TCP001"], has=["tcp.flags == 0x002 && " + TO_LOGIN, "tcp.analysis.retransmission"], lacks=[FROM_LOGIN])
def no_answer(lab):
    lab.up(filters=f"forward {AT} drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE, connect_timeout=16)


@broken("refused", "nft reject with tcp reset", "The sign-in host refuses each connection.", expect=["TCP002"], has=["tcp.flags.reset == 1 && tcp.flags.ack == 1 && ip.src == 20.190.160.14"], lacks=["tcp.flags == 0x012 && ip.src == 20.190.160.14"])
def refused(lab):
    lab.up(filters=f"forward {AT} reject with tcp reset")
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, retry=1, retry_connrefused=True)


@broken("icmp-prohibited", "nft reject with icmp type admin-prohibited", "A router answers each SYN with ICMP administratively prohibited.", expect=["TCP004"], has=["icmp.type == 3 && icmp.code == 13"], lacks=["tcp.flags == 0x012"])
def icmp_prohibited(lab):
    lab.up(filters=f"forward {AT} reject with icmp type admin-prohibited")
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, retry=1, retry_connrefused=True)



@broken("no-answer-browser", "Chromium; nft drop", "A browser is sent to the sign-in host by the application; it never answers a SYN.", expect=["TCP001"], has=["tcp.flags == 0x002 && " + TO_LOGIN, "tcp.analysis.retransmission"], lacks=[FROM_LOGIN])
def no_answer_browser(lab):
    lab.up(filters=f"forward {AT} drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=22)


@broken("host-unreachable", "route `unreachable` on the router", "A router answers each SYN with ICMP host unreachable.", expect=["TCP004"], has=["icmp.type == 3 && icmp.code == 1"], lacks=["tcp.flags == 0x012"])
def host_unreachable(lab):
    lab.up()
    lab.run(lab.tag + "r", "ip", "route", "add", "unreachable", HOSTS[LOGIN])
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, connect_timeout=5)


@healthy("ipv6-unanswered", "curl; IPv6 dropped, IPv4 works", "The sign-in host has IPv6 and IPv4; IPv6 is dead, the client takes IPv4.", has=["tcp.flags == 0x002 && ipv6"], lacks=["ipv6.src == 2603:1027:1::/48"])
def ipv6_unanswered(lab):
    lab.up(ipv6=True, filters="forward ip6 daddr 2001:db8:28::/48 drop")
    lab.dns(ipv6=[LOGIN])
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("ipv6-unanswered-browser", "Chromium; IPv6 dropped, IPv4 works", "A browser tries IPv6, which is dead, and takes IPv4.", has=["tcp.flags == 0x002 && ipv6"], lacks=["ipv6.src == 2603:1027:1::/48 && tcp"])
def ipv6_unanswered_browser(lab):
    lab.up(ipv6=True, filters="forward ip6 daddr 2001:db8:28::/48 drop")
    lab.dns(ipv6=[LOGIN])
    server = lab.login()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)


@healthy("ipv6-prohibited", "curl; IPv6 rejected with ICMPv6, IPv4 works", "IPv6 is answered by ICMPv6 prohibited, the client takes IPv4.", has=["icmpv6.type == 1 && icmpv6.code == 1"])
def ipv6_prohibited(lab):
    lab.up(ipv6=True, filters="forward ip6 daddr 2001:db8:28::/48 reject with icmpv6 type admin-prohibited")
    lab.dns(ipv6=[LOGIN])
    lab.login()
    lab.record()
    lab.sign_in()


@healthy("ipv6-used", "curl; IPv6 and IPv4 work", "The sign-in goes over IPv6.", has=["tls.app_data && ipv6.src == 2603:1027:1::14"])
def ipv6_used(lab):
    lab.up(ipv6=True)
    lab.dns(ipv6=[LOGIN])
    lab.login(also=[LOGIN6])
    lab.record()
    lab.sign_in()
    lab.get(AUTHORIZE, ipv4=True)


@broken("ipv6-only-unanswered", "curl; the name has only IPv6, which is dropped", "The sign-in host resolves to IPv6 only, and nothing answers there.", expect=["TCP001"], has=["tcp.flags == 0x002 && ipv6"], lacks=["ipv6.src == 2603:1027:1::/48 && tcp"])
def ipv6_only_unanswered(lab):
    lab.up(ipv6=True, filters="forward ip6 daddr 2001:db8:28::/48 drop")
    lab.dns(addresses={LOGIN: LOGIN6})
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE, connect_timeout=16)


@healthy("one-address-refused", "two addresses; nft rejects one", "The sign-in host has two addresses; one refuses, the other works.", has=[RESET + " && ip.src == 40.126.31.67"])
def one_address_refused(lab):
    lab.up(filters=f"forward ip daddr {LOGIN2} tcp dport 443 reject with tcp reset")
    lab.dns(addresses={LOGIN: [LOGIN2, HOSTS[LOGIN]]})
    lab.login()
    lab.record()
    for _ in range(3):
        lab.get(AUTHORIZE)
    lab.sign_in()


@healthy("one-address-unanswered", "two addresses; nft drops one", "The sign-in host has two addresses; one never answers, the other works.", has=["tcp.flags == 0x002 && ip.dst == 40.126.31.67"], lacks=["ip.src == 40.126.31.67"], covers=["CAP015"])
def one_address_unanswered(lab):
    lab.up(filters=f"forward ip daddr {LOGIN2} drop")
    lab.dns(addresses={LOGIN: [LOGIN2, HOSTS[LOGIN]]})
    lab.login()
    lab.record()
    for _ in range(3):
        lab.get(AUTHORIZE, connect_timeout=5)


@broken("polls-reset-for-good", "nft rejects what goes to the sign-in host after 6 s", "While polls run, the connection is reset and every new one is refused, to the end.", expect=["TCP003"], has=[DATA, RESET + " && " + FROM_LOGIN])
def polls_reset_for_good(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    later(6, lambda: lab.nft(f"forward {AT} reject with tcp reset"))
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", POLLS, rate="60/m")


@broken("polls-unanswered-for-good", "nft drops what goes to the sign-in host after 6 s", "While polls run, the sign-in host falls silent: what is sent is never acknowledged, and a new connection gets no answer.", expect=["TCP001", "TCP006"], has=[DATA, "tcp.analysis.retransmission && tcp.len > 0 && " + TO_LOGIN, "tcp.flags == 0x002 && tcp.analysis.retransmission"])
def polls_unanswered_for_good(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    later(6, lambda: lab.nft(f"forward {AT} drop"))
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", POLLS, rate="60/m", limit=14)
    lab.get(f"https://{LOGIN}/common/SAS/EndAuth?pollCount=8", connect_timeout=16)


@healthy("poll-reset-once", "nft rejects one connection, then lets all through", "While polls run, the connection is reset once; the client opens a new one and goes on to the end.", has=[RESET + " && " + FROM_LOGIN], covers=["TCP003"])
def poll_reset_once(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    later(5.2, lambda: lab.nft(f"forward {AT} tcp flags & (syn|psh) == psh reject with tcp reset"))
    later(6.9, lab.flush)
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", POLLS, f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/", rate="60/m", retry=3, retry_all_errors=True)


@healthy("poll-stalled-once", "a stateful router forgets the connection", "While polls run, a router forgets the connection and drops it in silence; the client gives up on it, opens a new one and finishes.", has=["tcp.analysis.retransmission && tcp.len > 0 && " + TO_LOGIN], covers=["TCP006"])
def poll_stalled_once(lab):
    lab.up(filters="forward ct state invalid drop")
    lab.run(lab.tag + "r", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0")
    lab.dns()
    lab.login()
    lab.record()
    later(6, lambda: lab.on("r", "conntrack", "-D", "-p", "tcp", "--dport", "443"))
    lab.get(AUTHORIZE, f"https://{LOGIN}/common/SAS/BeginAuth", POLLS, rate="60/m", limit=13)
    lab.get(f"https://{LOGIN}/common/SAS/EndAuth?pollCount=[7-9]", f"https://{LOGIN}/common/SAS/ProcessAuth", f"https://{OFFICE}/", rate="60/m")


@broken("mtu-black-hole-hello", "Chromium; the router's line carries 1400 bytes and its ICMP is dropped", "A browser's ClientHello needs a full frame, which is too big for a line behind the router; the ICMP that says so is dropped. It is sent again and again.", expect=["TCP006"], has=["tcp.analysis.retransmission && tcp.len >= 1440 && " + TO_LOGIN, OPEN], lacks=[NO_HELLO_BACK, "icmp.code == 4"])
def mtu_black_hole_hello(lab):
    lab.up(mtu=1400, filters="output icmp type destination-unreachable drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(url=AUTHORIZE, seconds=18)


@broken("mtu-black-hole-flight", "curl; the router's line carries 1400 bytes", "The ClientHello gets through; the server's certificates need full frames, which a line on the way swallows. Only the end of the flight arrives.", expect=["TCP006"], has=[HELLO, OPEN, "tcp.analysis.lost_segment || tcp.options.sack_le"], lacks=[NO_HELLO_BACK, "icmp.code == 4"])
def mtu_black_hole_flight(lab):
    lab.up(mtu=1400, filters="output icmp type destination-unreachable drop")
    lab.dns()
    lab.login(high="TLSv1.2")
    lab.record()
    lab.get(AUTHORIZE, limit=12)
    lab.get(AUTHORIZE, limit=12)


@broken("upload-unacknowledged", "nft drops long packets to the sign-in host, curl", "The page arrives; then a long request is sent again and again, on this connection and the next, until the client gives up.", expect=["TCP006"], has=[DATA, "tcp.analysis.retransmission && tcp.len > 1300 && " + TO_LOGIN])
def upload_unacknowledged(lab):
    lab.up(filters=f"forward ip daddr {HOSTS[LOGIN]} ip length > 1300 drop")
    lab.dns()
    lab.login()
    lab.record()
    lab.get(AUTHORIZE)
    for _ in range(2):
        lab.curl("-d", "login=" + "x" * 9000, f"https://{LOGIN}/common/login", "-o", "/dev/null", limit=14)


LONG = AUTHORIZE + "&redirect_uri=https%3A%2F%2Fportal.office.com%2F&response_mode=form_post&state=" + "k7" * 200
ACKNOWLEDGED = "tcp.len > 400 && " + TO_LOGIN


@broken("request-unanswered-tls13", "openssl s_server that reads and is silent, TLS 1.3", "The handshake is over, the server sends its tickets; the request that is on its way by then is acknowledged and never answered, twice.", expect=["TCP001"], has=[DATA, ACKNOWLEDGED])
def request_unanswered_tls13(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[LOGIN]])
    lab.s_server(HOSTS[LOGIN], "-tls1_3", answers=False)
    lab.record()
    for _ in range(2):
        lab.get(LONG, limit=24)


@broken("request-reset-tls13", "nft rejects what goes to the sign-in host once a connection has sent 1,500 bytes", "The handshake is over; the long request is answered with a reset, each time.", expect=["TCP003"], has=[RESET + " && " + FROM_LOGIN, ACKNOWLEDGED])
def request_reset_tls13(lab):
    lab.up()
    lab.run(lab.tag + "r", "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
    lab.nft(f"forward {AT} ct original bytes > 1500 reject with tcp reset")
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(3):
        lab.get(LONG, limit=10)


@healthy("short-answer-tls13", "curl; a short answer and a connection that stays open", "After a sign-in one more connection asks for something that is not there, is told so at once and in few words, and is kept for long.", has=[ACKNOWLEDGED])
def short_answer_tls13(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    lab.sign_in()
    missing = f"https://{LOGIN}/favicon.ico?" + "k7" * 200
    lab.curl("--head", "--rate", "2/m", missing, missing, limit=26)


@healthy("mtu-told", "Chromium; the router's line carries 1400 bytes, its ICMP comes through", "A line behind the router is narrower; the ICMP says so, the client sends smaller frames and all works.", has=["icmp.type == 3 && icmp.code == 4"], covers=["TCP006", "TLS008"])
def mtu_told(lab):
    lab.up()
    lab.run(lab.tag + "r", "ip", "route", "replace", "198.51.100.0/24", "dev", "wan", "mtu", "lock", "1400")
    lab.dns()
    server = lab.login()
    lab.record()
    lab.chromium(seconds=25, done=f"POST {APP}", log=server.log)
