"""Stories of TLS handshakes: filtered, refused, intercepted."""

from lab import APP, DEVICE, HOSTS, LOGIN, OFFICE, ROUTER, TELEMETRY
from stories.label import AT, AUTHORIZE, DATA, FROM_LOGIN, HELLO, NETWORK_RULES, NO_HELLO_BACK, OPEN, RESET, SCRIPT, SERVER_HELLO, TO_LOGIN, broken, healthy, unreadable

TLS13_BACK = "tls.handshake.extensions.supported_version == 0x0304 && " + NO_HELLO_BACK
CERTIFICATE = "tls.handshake.type == 11 && " + FROM_LOGIN
BLOCKED = b"HTTP/1.1 403 Forbidden\r\nServer: Contoso Web Filter\r\nContent-Type: text/html\r\nContent-Length: 121\r\nConnection: close\r\n\r\n<html><head><title>Access denied</title></head><body><h1>Access denied</h1><p>Category: not allowed here.</p></body></html>"

@broken("hello-reset-injected", "a box on the line reads the ClientHello and injects resets", "The connection opens, then a reset follows each ClientHello with the name of the sign-in host; other hosts work.", expect=["TLS007"], has=[HELLO, RESET + " && ip.src == 20.190.160.14"], lacks=[NO_HELLO_BACK])
def hello_reset_injected(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "reset", "ttl": 118}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(3):
        lab.get(AUTHORIZE)


@broken("hello-closed", "nft redirect to a server that closes after the ClientHello", "The connection opens and is closed after each ClientHello.", expect=["TLS007"], has=[HELLO, "tcp.flags.fin == 1 && ip.src == 20.190.160.14"], lacks=[NO_HELLO_BACK])
def hello_closed(lab):
    lab.up(filters=f"nat {AT} redirect to :9443")
    lab.dns()
    lab.login()
    lab.gate("close", ROUTER, 9443)
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(3):
        lab.get(AUTHORIZE)


@broken("hello-reset-rejected", "iptables -m string on the name, REJECT with tcp-reset", "A router resets each connection whose ClientHello names the sign-in host, towards the client only.", expect=["TLS007"], has=[HELLO, RESET + " && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def hello_reset_rejected(lab):
    lab.up()
    lab.run(lab.tag + "r", "iptables", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-m", "string", "--string", LOGIN, "--algo", "bm", "-j", "REJECT", "--reject-with", "tcp-reset")
    lab.dns()
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(3):
        lab.get(AUTHORIZE)


@broken("hello-reset-browser", "Chromium; a box on the line reads the ClientHello and injects resets", "A browser's connections to the sign-in host are reset after each ClientHello; the hellos fill two segments.", expect=["TLS007"], has=[RESET + " && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def hello_reset_browser(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "reset", "ttl": 250}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=9)


@broken("hello-unanswered", "a box on the line drops the ClientHello and all that follows", "The connection opens; the ClientHello is never acknowledged nor answered.", expect=["TLS008"], has=[HELLO, "tcp.analysis.retransmission && tcp.len > 200 && " + TO_LOGIN, OPEN], lacks=[NO_HELLO_BACK])
def hello_unanswered(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "drop"}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.get(f"https://{APP}/")
    lab.get(AUTHORIZE, limit=10)
    lab.get(AUTHORIZE, limit=10)


@broken("hello-acknowledged-unanswered", "nft redirect to a server that reads and is silent", "The ClientHello is acknowledged, and no byte comes back.", expect=["TLS009"], has=[HELLO, OPEN], lacks=["tcp.len > 0 && " + FROM_LOGIN])
def hello_acknowledged_unanswered(lab):
    lab.up(filters=f"nat {AT} redirect to :9443")
    lab.dns()
    lab.login()
    lab.gate("hang", ROUTER, 9443)
    lab.record()
    lab.get(f"https://{APP}/")
    lab.get(AUTHORIZE, limit=8)
    lab.get(AUTHORIZE, limit=8)


@broken("hello-split-dropped", "Chromium; a box on the line drops the rest of a ClientHello that is split", "A browser's ClientHello needs two segments; the second is dropped each time, so the server waits for it.", expect=["TLS008"], has=["tcp.analysis.retransmission && " + TO_LOGIN, OPEN, "tcp.len > 1200 && " + TO_LOGIN], lacks=[NO_HELLO_BACK])
def hello_split_dropped(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "drop-rest"}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=14)


@broken("hello-split-reset", "Chromium; a box on the line resets a ClientHello that is split", "A box that cannot read a ClientHello of two segments resets each connection to the sign-in host.", expect=["TLS007"], has=[RESET + " && " + FROM_LOGIN, "tcp.len > 1200 && " + TO_LOGIN], lacks=[NO_HELLO_BACK])
def hello_split_reset(lab):
    lab.up(wire={"hello": [{"name": LOGIN, "do": "reset", "split": True}]})
    lab.dns()
    lab.login()
    lab.record()
    lab.chromium(seconds=9)


@broken("plain-text", "nft redirect to a server that answers in clear", "A web filter answers the ClientHello with a block page in plain HTTP.", expect=["TLS005"], has=[HELLO, 'tcp.payload contains "HTTP/1.1 403" && ' + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def plain_text(lab):
    lab.up(filters=f"nat {AT} redirect to :9443")
    lab.dns()
    lab.login()
    lab.gate("text", ROUTER, 9443, lab.text(BLOCKED))
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(2):
        lab.get(AUTHORIZE)


@broken("hello-answered-by-goodbye", "nft redirect to a server that answers with close_notify", "Each ClientHello is answered with the alert close_notify in clear; the client closes first.", expect=["TLS007"], has=[HELLO, "tls.alert_message.desc == 0 && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def hello_answered_by_goodbye(lab):
    lab.up(filters=f"nat {AT} redirect to :9443")
    lab.dns()
    lab.login()
    lab.gate("text", ROUTER, 9443, lab.text(bytes.fromhex("15030300020100")))
    lab.record()
    lab.get(f"https://{APP}/")
    for _ in range(2):
        lab.get(AUTHORIZE)


# Alerts of the server.

@broken("alert-handshake-failure", "openssl s_server with one cipher that curl lacks", "Client and server have no cipher in common: the server answers with alert 40.", expect=["TLS003"], has=["tls.alert_message.desc == 40 && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def alert_handshake_failure(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[LOGIN]])
    lab.s_server(HOSTS[LOGIN], "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, tls="1.2", ciphers="ECDHE-RSA-AES128-SHA256:AES128-SHA")


@broken("alert-protocol-version", "openssl s_server -tls1_3, client up to TLS 1.2", "What answers wants TLS 1.3, the client has 1.2 at most: alert 70.", expect=["TLS006"], has=["tls.alert_message.desc == 70 && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def alert_protocol_version(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[LOGIN]])
    lab.s_server(HOSTS[LOGIN], "-tls1_3")
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE, tls="1.2")


@broken("client-too-old", "curl with TLS 1.0 and 1.1 only", "The client offers TLS 1.1 at most; the service answers with alert 70.", expect=["TLS006"], has=["tls.alert_message.desc == 70 && " + FROM_LOGIN, "tls.handshake.version == 0x0302 && " + HELLO], lacks=[NO_HELLO_BACK])
def client_too_old(lab):
    lab.up()
    lab.dns()
    lab.login()
    lab.record()
    for _ in range(2):
        lab.curl("--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", AUTHORIZE, "-o", "/dev/null")


@broken("alert-unrecognized-name", "openssl s_server -servername_fatal", "What answers does not know the name of the sign-in host: alert 112, fatal.", expect=["TLS003"], has=["tls.alert_message.desc == 112 && tls.alert_message.level == 2 && " + FROM_LOGIN], lacks=[NO_HELLO_BACK])
def alert_unrecognized_name(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[LOGIN]])
    chain, key = lab.pki.pair("other")
    lab.s_server(HOSTS[LOGIN], "-servername", "www.wingtiptoys.example", "-servername_fatal", "-cert2", chain, "-key2", key)
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE)


@healthy("warning-unrecognized-name", "openssl s_server -servername, not fatal, TLS 1.2", "The server warns that it does not know the name (alert 112, warning) and goes on: all works.", has=["tls.alert_message.desc == 112 && tls.alert_message.level == 1"])
def warning_unrecognized_name(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[LOGIN]])
    chain, key = lab.pki.pair("other")
    lab.s_server(HOSTS[LOGIN], "-tls1_2", "-servername", "stamp2.login.microsoftonline.com", "-cert2", chain, "-key2", key)
    lab.record()
    for _ in range(3):
        lab.get(AUTHORIZE, f"https://{OFFICE}/")


# Interception and certificates.

def intercepted(lab, brand, high, trusted, browser=False, hosts=(LOGIN,)):
    lab.up()
    lab.dns()
    server = lab.login(high=high)
    lab.inspector(brand, high, hosts)
    if trusted:
        lab.trust(brand)
    lab.record()
    if browser:
        return lab.chromium(seconds=25 if trusted else 9, done=f"POST {APP}", log=server.log)
    if trusted:
        return lab.sign_in()
    lab.get(f"https://{APP}/", AUTHORIZE)
    return lab.get(AUTHORIZE)


@broken("intercepted-untrusted-tls12", "nginx with a Zscaler issuer, curl does not trust it, TLS 1.2", "A gateway decrypts the sign-in host; the client does not know its issuer and says so: alert 48.", expect=["TLS001", "TLS002"], has=[CERTIFICATE, "tls.alert_message.desc == 48 && " + TO_LOGIN])
def intercepted_untrusted_tls12(lab):
    intercepted(lab, "zscaler", "TLSv1.2", False)


@broken("intercepted-untrusted-tls13", "nginx with a Zscaler issuer, curl does not trust it, TLS 1.3", "The same in TLS 1.3: the certificate is hidden, the client's alert 48 is in clear.", expect=["TLS001"], has=[TLS13_BACK], lacks=[CERTIFICATE])
def intercepted_untrusted_tls13(lab):
    intercepted(lab, "zscaler", "TLSv1.3", False)


@broken("intercepted-untrusted-browser-tls12", "nginx with a Fortinet issuer, Chromium does not trust it, TLS 1.2", "A gateway decrypts the sign-in host; the browser does not know its issuer.", expect=["TLS001", "TLS002"], has=[CERTIFICATE])
def intercepted_untrusted_browser_tls12(lab):
    intercepted(lab, "fortinet", "TLSv1.2", False, browser=True)


@broken("intercepted-untrusted-browser-tls13", "nginx with a Fortinet issuer, Chromium does not trust it, TLS 1.3", "The same in TLS 1.3: the browser leaves right after the server's flight.", expect=["TLS001"], has=[TLS13_BACK], lacks=[CERTIFICATE])
def intercepted_untrusted_browser_tls13(lab):
    intercepted(lab, "fortinet", "TLSv1.3", False, browser=True)


@unreadable("intercepted-trusted-tls12", "nginx with a company's issuer that curl trusts, TLS 1.2", "The company's proxy decrypts the sign-in host, the client trusts it, all works; the issuer is in clear.", expect=["TLS002"], forbid=[r for r in NETWORK_RULES if r != "TLS002"], has=[CERTIFICATE, DATA])
def intercepted_trusted_tls12(lab):
    intercepted(lab, "contoso", "TLSv1.2", True)


@healthy("intercepted-trusted-tls13", "nginx with a company's issuer that curl trusts, TLS 1.3", "The same in TLS 1.3: it cannot be seen.", has=[TLS13_BACK], lacks=[CERTIFICATE])
def intercepted_trusted_tls13(lab):
    intercepted(lab, "contoso", "TLSv1.3", True)


@unreadable("intercepted-trusted-browser-tls12", "nginx with a Zscaler issuer that Chromium trusts, TLS 1.2", "A gateway decrypts the sign-in host, the browser trusts it, the push is approved.", expect=["TLS002"], forbid=[r for r in NETWORK_RULES if r != "TLS002"], has=[CERTIFICATE, DATA])
def intercepted_trusted_browser_tls12(lab):
    intercepted(lab, "zscaler", "TLSv1.2", True, browser=True)


@unreadable("device-host-intercepted", "nginx with a Fortinet issuer for the device host, curl trusts it, TLS 1.2", "The host that asks for the device's certificate is decrypted by a gateway that the client trusts.", expect=["PRX008"], has=["tls.handshake.type == 11 && ip.src == 20.190.160.20", DATA])
def device_host_intercepted(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", ask=[HOSTS[DEVICE]])
    lab.inspector("fortinet", "TLSv1.2", [DEVICE])
    lab.trust("fortinet")
    lab.record()
    lab.get(AUTHORIZE, f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.sign_in()


@healthy("telemetry-intercepted", "nginx with an issuer that curl does not trust for the telemetry host, TLS 1.2", "The client refuses the certificate of the telemetry host; the sign-in works.", has=["tls.alert_message.desc == 48 && ip.dst == 20.189.173.90"])
def telemetry_intercepted(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2")
    lab.inspector("zscaler", "TLSv1.2", [TELEMETRY])
    lab.record()
    lab.get(AUTHORIZE, f"https://{TELEMETRY}/OneCollector/1.0/")
    lab.sign_in()


@broken("certificate-expired", "certificate of the past, curl, TLS 1.2", "What answers shows a certificate that ran out; the client says alert 45.", expect=["TLS001", "TLS010"], has=[CERTIFICATE, "tls.alert_message.desc == 45 && " + TO_LOGIN])
def certificate_expired(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", certs={LOGIN: "expired"})
    lab.record()
    for _ in range(2):
        lab.get(AUTHORIZE)


@broken("certificate-of-another-finished", "certificate for another name, curl, TLS 1.2", "What answers shows a certificate of another host; the client ends the handshake, then leaves without a request.", expect=["TLS001", "TLS010"], has=[CERTIFICATE], lacks=[DATA])
def certificate_of_another_finished(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", certs={LOGIN: "other"})
    lab.record()
    lab.get(f"https://{APP}/", AUTHORIZE)
    lab.get(AUTHORIZE)


@broken("certificate-of-another", "certificate for another name, Chromium, TLS 1.2", "What answers shows a certificate of another host; the browser does not go on.", expect=["TLS001", "TLS010"], has=[CERTIFICATE])
def certificate_of_another(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", certs={LOGIN: "other"})
    lab.record()
    lab.chromium(seconds=9)


# Client certificates.

@unreadable("device-certificate-missing-tls12", "openssl s_server -Verify, curl without a certificate, TLS 1.2", "The device host wants a certificate, the client has none: alert 40. The rest of the sign-in is healthy.", expect=["TLS004"], has=["tls.handshake.type == 13", "tls.alert_message.desc == 40 && ip.src == 20.190.160.20", DATA])
def device_certificate_missing_tls12(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[DEVICE]])
    lab.s_server(HOSTS[DEVICE], "-tls1_2", "-Verify", "2", "-verify_return_error")
    lab.record()
    lab.get(AUTHORIZE, f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.get(f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.sign_in()


@unreadable("device-certificate-missing-tls13", "openssl s_server -Verify, curl without a certificate, TLS 1.3", "The same in TLS 1.3: request and alert 116 are encrypted.", has=["tls.handshake.extensions.supported_version == 0x0304 && ip.src == 20.190.160.20", DATA], lacks=["tls.handshake.type == 13"])
def device_certificate_missing_tls13(lab):
    lab.up()
    lab.dns()
    lab.login(skip=[HOSTS[DEVICE]])
    lab.s_server(HOSTS[DEVICE], "-tls1_3", "-Verify", "2", "-verify_return_error")
    lab.record()
    lab.get(AUTHORIZE, f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.get(f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.sign_in()


@healthy("device-certificate-optional", "stand-in that asks for a certificate and goes on without, TLS 1.2", "The device host asks for a certificate, gets none, and goes on: harmless.", has=["tls.handshake.type == 13", "tls.app_data && ip.src == 20.190.160.20"])
def device_certificate_optional(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", ask=[HOSTS[DEVICE]])
    lab.record()
    lab.get(AUTHORIZE, f"https://{DEVICE}/common/DeviceAuthTls/reprocess")
    lab.sign_in()


@healthy("device-certificate-given", "stand-in that asks for a certificate, curl shows one, TLS 1.2", "The device host asks for a certificate and gets one.", has=["tls.handshake.type == 13", "tls.handshake.type == 15"])
def device_certificate_given(lab):
    lab.up()
    lab.dns()
    lab.login(high="TLSv1.2", ask=[HOSTS[DEVICE]])
    lab.record()
    chain, key = lab.pki.pair("device")
    lab.get(AUTHORIZE, f"https://{DEVICE}/common/DeviceAuthTls/reprocess", cert=chain, key=key)
    lab.sign_in()
