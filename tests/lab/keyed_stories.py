"""The sessions that are recorded with their keys, and what each must be called, written down before it was recorded.

A label is that of the session's HAR by SPEC sections 4 and 5; `packets` says where the packets must be called something
else, because keys or frames are missing. `keys` says how the keys are given: `front` and `end` inside the pcapng,
`zip` in one archive with the pcap, `beside` in a file of its own. `lost` takes something away.
"""

import threading
import time

from lab import APP, CDN, DEVICE, HOSTS, LOGIN, USER

KEYED = []
NEWS = "https://news.example.net/"


def told(outcome, side, mfa, host=None):
    def label(name, text, tls="1.3", http=2, proxy=False, keys="front", lost=None, client="chromium", packets=None, **server):
        """`server` goes to the stand-in: service, user, ciphers, codings, what it does to streams."""
        def add(play):
            KEYED.append({"name": name, "text": text, "outcome": outcome, "side": side, "mfa": mfa, "host": host, "tls": tls, "http": http, "proxy": proxy, "keys": keys, "lost": lost, "client": client, "packets": packets or {}, "server": server, "play": play})
            return play
        return add
    return label


passed = told("mfa_completed", "nothing_wrong", "passed")
denied = told("mfa_denied", "user", "failed")
unanswered = told("mfa_no_answer", "user", "failed")
registering = told("registration_required", "user", "asked")
cut = told("mfa_prevented_by_network", "network", "begun", LOGIN)
left = told("mfa_abandoned", "user", "begun")
without = told("completed_without_mfa", "nothing_wrong", "not_asked")
elsewhere = told("completed_without_mfa", "nothing_wrong", "unknown")
silent = told("interaction_required", "application", "asked")

push = lambda after, result, **more: {"mfa": {"end": [{"after": after, "result": result}], **more}}
APPROVED, DENIED = push(3200, "Success"), push(3200, "PhoneAppDenied")
LEAN = {"kmsi": False, "me": False}
ALL_CODINGS = ["zstd", "br", "gzip", "deflate"]
ANY_12 = {"tls": "1.2"}
MFA = {"code": 50076, "error": "invalid_grant", "suberror": "basic_action", "claims": True}
STRONG = {"code": 50074, "error": "interaction_required", "claims": True}
REGISTER = {"code": 50079, "error": "invalid_grant", "suberror": "basic_action"}
PENDING = {"code": 70016, "error": "authorization_pending"}
WITHOUT_ETM = 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
RENEGOTIATION = 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION


def plain(client):
    client.browse()


# A challenge that is passed.

passed("push-approved-tls13-h2", "The push is approved after three seconds of polls.", encode=ALL_CODINGS, service=APPROVED)(plain)
passed("push-approved-tls12-h1", "The push is approved after three seconds of polls.", tls="1.2", http=1, keys="end", ciphers="ECDHE-RSA-AES128-SHA", encode=["gzip"], chunked=True, service={**APPROVED, **LEAN})(plain)
passed("push-approved-tls12-h1-resumed", "The server closes the connection after each poll, so the next resumes the session on a new one; the push is approved.", tls="1.2", http=1, keys="front", closes=True, service={**APPROVED, **LEAN})(plain)
passed("push-approved-tls13-h2-proxy", "The push is approved after three seconds of polls, through a proxy.", proxy=True, keys="zip", encode=["br"], service={**APPROVED, **LEAN})(plain)
passed("code-typed-tls13-h2", "A code that came by SMS is typed and right.", keys="zip", encode=["zstd"], padding=True, service={"methods": ["OneWaySMS"], "mfa": {"codes": ["Success"]}, **LEAN}, user={"codes": ["482931"], "type": 1500})(plain)
passed("code-typed-tls12-h1", "The code of the app is wrong once, then right.", tls="1.2", http=1, keys="beside", ciphers="ECDHE-RSA-AES256-GCM-SHA384", encode=["deflate"], service={"methods": ["PhoneAppOTP"], "mfa": {"codes": ["OathCodeIncorrect", "Success"]}, **LEAN}, user={"codes": ["111111", "222222"], "type": 1500})(plain)


@passed("script-approved-tls13-h1", "A program signs in, the server asks for another group each time and closes the connection after each poll; the push is approved.", http=1, keys="end", client="curl", closes=True, groups="P-384", service={**push(5200, "Success"), **LEAN, "mode": "query"})
def script_approved(client):
    client.script()


@passed("silent-then-passed-tls13-h2", "prompt=none meets 50076, the application goes on interactively, the push is approved.", service={"mode": "fragment", "silent": [50076], **APPROVED, **LEAN}, encode=["gzip"])
def silent_then_passed(client):
    client.browse(url=f"https://{APP}/spa", after=[f"https://{APP}/"])


@passed("silent-then-passed-tls12-h1-proxy", "prompt=none meets 50074, the application goes on interactively, the push is approved; through a proxy.", tls="1.2", http=1, proxy=True, keys="beside", service={"mode": "fragment", "silent": [50074], **APPROVED, **LEAN})
def silent_then_passed_12(client):
    client.browse(url=f"https://{APP}/spa", after=[f"https://{APP}/"])


@passed("silent-50079-then-passed-tls12-h2", "prompt=none meets 50079, the application goes on interactively, a code of the app is right.", tls="1.2", http=2, keys="front", service={"mode": "fragment", "silent": [50079], "methods": ["PhoneAppOTP"], "mfa": {"codes": ["Success"]}, **LEAN}, user={"codes": ["123456"], "type": 1500})
def silent_then_code(client):
    client.browse(url=f"https://{APP}/spa", after=[f"https://{APP}/"])


passed("goaway-between-polls-tls12-h2", "The server sends GOAWAY at a poll; the browser goes on over a new connection, the push is approved.", tls="1.2", goaway=2, long=[CDN], service={**push(4200, "Success"), **LEAN})(plain)
passed("device-host-needs-http1-tls13-h2", "The device host refuses HTTP/2 with HTTP_1_1_REQUIRED, the browser asks again over HTTP/1.1; the push is approved.", http1=[DEVICE], keys="end", service={"device": True, **APPROVED, **LEAN})(plain)

# A challenge that is not passed.

denied("push-denied-tls13-h1", "Deny is pressed on the phone.", http=1, keys="beside", encode=["gzip", "br"], chunked=True, hints=True, service={**DENIED, **LEAN})(plain)
denied("push-denied-tls13-h1-resumed", "The server closes the connection after each poll, so the next resumes the session on a new one; deny is pressed on the phone.", http=1, keys="zip", closes=True, service={**DENIED, **LEAN})(plain)
denied("push-denied-tls12-h2", "Deny is pressed on the phone.", tls="1.2", ciphers="ECDHE-RSA-CHACHA20-POLY1305", encode=["br"], service={**DENIED, **LEAN})(plain)
denied("push-denied-tls12-h1-proxy", "Deny is pressed on the phone; through a proxy.", tls="1.2", http=1, proxy=True, keys="end", ciphers="ECDHE-RSA-AES128-GCM-SHA256", service={**DENIED, **LEAN})(plain)


@denied("script-denied-tls12-h2", "A program signs in; deny is pressed on the phone.", tls="1.2", keys="front", client="curl", ciphers="ECDHE-RSA-AES256-GCM-SHA384", service={**push(4200, "PhoneAppDenied"), **LEAN})
def script_denied(client):
    client.script()


@unanswered("push-unanswered-tls13-h2", "Nobody answers the push: PhoneAppNoResponse after half a minute.", keys="end", service={**push(30000, "PhoneAppNoResponse", interval=5), **LEAN})
def push_unanswered(client):
    client.browse(idle=7000)


@unanswered("call-unanswered-tls12-h1-proxy", "The phone cannot be reached by a call: UserVoiceAuthFailedPhoneUnreachable; through a proxy.", tls="1.2", http=1, proxy=True, service={"methods": ["TwoWayVoiceMobile"], **push(20000, "UserVoiceAuthFailedPhoneUnreachable"), **LEAN})
def call_unanswered(client):
    client.browse(idle=7000)


registering("not-registered-tls13-h2", "The user has no method: proof-up page with 50072, then the registration site opens.", keys="end", encode=["zstd", "gzip"], service={"mfa": {"page": "ConvergedProofUpRedirect", "code": 50072}, **LEAN})(plain)
registering("not-registered-tls12-h1-proxy", "The user has no method: proof-up page with 50079, then the registration site opens; through a proxy.", tls="1.2", http=1, proxy=True, keys="zip", service={"mfa": {"page": "ConvergedProofUpRedirect", "code": 50079}, **LEAN})(plain)


def cut_at(client, poll, play):
    """From the second or later poll on, the network answers for the sign-in host with resets."""
    log = client.lab.server.log

    def box():
        client.lab.until(lambda: log.read_text().count("EndAuth") >= poll, "polls", 40)
        client.lab.nft(f"forward ip daddr {HOSTS[LOGIN]} tcp dport 443 reject with tcp reset")

    watcher = threading.Thread(target=box)
    watcher.start()
    play()
    watcher.join()


@cut("polls-reset-tls13-h2", "While the push is polled, the network begins to reset connections to the sign-in host, for good.", keys="beside", service={**push(20000, "Success"), **LEAN})
def polls_reset(client):
    cut_at(client, 2, client.browse)


@cut("polls-reset-tls12-h1", "While the push is polled, the network begins to reset connections to the sign-in host, for good.", tls="1.2", http=1, service={**push(20000, "Success"), **LEAN})
def polls_reset_12(client):
    cut_at(client, 3, client.browse)


cut("polls-streams-reset-tls13-h2", "From the second poll on each stream to the sign-in host is reset with INTERNAL_ERROR, though connections hold.", streamReset={"polls": 2, "code": 2}, service={**push(20000, "Success"), **LEAN})(plain)


@left("left-at-polls-tls13-h1", "The push is begun, polls are pending, then the user goes to a news site.", http=1, ciphers="TLS_CHACHA20_POLY1305_SHA256", service={**push(60000, "Success"), **LEAN})
def left_at_polls(client):
    client.browse(leave={"polls": 3, "to": NEWS})


@left("left-at-polls-tls12-h2-proxy", "The push is begun, polls are pending, then the user goes to a news site; through a proxy.", tls="1.2", proxy=True, keys="end", service={**push(60000, "Success"), **LEAN})
def left_at_polls_proxy(client):
    client.browse(leave={"polls": 3, "to": NEWS})


# No challenge.

without("no-mfa-tls13-h2", "A sign-in with the password alone.", ciphers="TLS_AES_128_GCM_SHA256", encode=["br", "zstd"], service={})(plain)
without("no-mfa-tls12-h1", "A sign-in with the password alone.", tls="1.2", http=1, keys="zip", service=LEAN)(plain)

# Programs at the token endpoint.


@silent("ropc-tls13-h2", "A program with name and password is answered 50076.", client="curl", keys="front", encode=["gzip"], tokens=[MFA])
def ropc(client):
    client.curl([("HEAD", f"https://{LOGIN}/organizations/v2.0/.well-known/openid-configuration", [], None), ("GET", f"https://{LOGIN}/organizations/v2.0/.well-known/openid-configuration", [], None)])
    client.ropc(headers=["Expect: 100-continue"])


@silent("ropc-tls12-h1-proxy", "A program with name and password is answered 50074; through a proxy.", tls="1.2", http=1, proxy=True, client="curl", keys="end", ciphers="ECDHE-RSA-AES256-SHA384", tokens=[STRONG])
def ropc_proxy(client):
    client.ropc(headers=["Expect: 100-continue"])


@silent("ropc-not-registered-tls12-h1", "A program with name and password is answered 50079.", tls="1.2", http=1, client="curl", keys="beside", ciphers="AES128-CCM", encode=["deflate"], chunked=True, tokens=[REGISTER])
def ropc_not_registered(client):
    client.ropc(extra=["--ciphers", "AES128-CCM"])


@silent("ropc-not-registered-tls12-h1-cbc", "A program with name and password is answered 50079.", tls="1.2", http=1, client="curl", keys="zip", ciphers="ECDHE-RSA-AES128-SHA256", secure=WITHOUT_ETM, tokens=[REGISTER])
def ropc_not_registered_cbc(client):
    client.ropc()


@silent("ropc-tls11-h1", "An old program with name and password is answered 50076.", tls="1.1", http=1, client="curl", keys="front", ciphers="ECDHE-RSA-AES256-SHA:@SECLEVEL=0", tokens=[MFA])
def ropc_11(client):
    client.ropc(extra=["--tls-max", "1.1", "--ciphers", "ECDHE-RSA-AES256-SHA:@SECLEVEL=0"])


@silent("refresh-tls10-h1", "An old program's refresh token is answered 50076.", tls="1.0", http=1, client="curl", keys="beside", ciphers="AES128-SHA:@SECLEVEL=0", secure=WITHOUT_ETM, tokens=[MFA])
def refresh_10(client):
    client.refresh(extra=["--tls-max", "1.0", "--ciphers", "AES128-SHA:@SECLEVEL=0"])


@silent("refresh-tls13-h1", "A refresh token is answered 50076.", http=1, client="curl", keys="zip", ciphers="TLS_AES_128_CCM_SHA256", encode=["br"], tokens=[None, MFA])
def refresh(client):
    client.refresh(times=2, rate="60/m", extra=["--tls13-ciphers", "TLS_AES_128_CCM_SHA256"])


@silent("refresh-tls12-h2-proxy", "A refresh token is answered 50074; through a proxy.", tls="1.2", proxy=True, client="curl", keys="front", tokens=[STRONG])
def refresh_proxy(client):
    client.refresh()


@silent("device-code-tls13-h2", "Device code polled three times, the last answer is 50076.", client="curl", keys="beside", ciphers="TLS_CHACHA20_POLY1305_SHA256", tokens=[PENDING, PENDING, PENDING, MFA])
def device_code(client):
    client.device_code(3)


@elsewhere("device-code-tls12-h1", "Device code polled twice, then the tokens come.", tls="1.2", http=1, client="curl", keys="front", ciphers="ECDHE-RSA-CHACHA20-POLY1305", encode=["gzip"], tokens=[PENDING, PENDING, None])
def device_code_passed(client):
    client.device_code(2)


@silent("ropc-key-update-tls13-h1", "A program with name and password is answered 50076; two requests at once, then both sides change their keys.", http=1, client="s_client", keys="end", tokens=[MFA])
def ropc_key_update(client):
    child = client.s_client("-alpn", "http/1.1")
    time.sleep(0.7)
    meta = client.request("GET", "/organizations/v2.0/.well-known/openid-configuration")
    client.say(child, meta + client.request("GET", "/common/discovery/instance?api-version=1.1"))
    client.say(child, "K\n", 0.4)
    client.say(child, client.request("POST", "/organizations/oauth2/v2.0/token", PASSWORD_FORM))
    client.say(child, "Q\n", 0.3)
    child.wait(10)


@silent("ropc-early-data-tls13-h1", "A program with name and password sends its request as early data of a resumed session; it is answered 50076.", http=1, client="s_client", keys="front", tokens=[MFA], behind="nginx")
def ropc_early_data(client):
    session, early = client.lab.dir / "session", client.lab.dir / "early"
    child = client.s_client("-sess_out", str(session))
    time.sleep(0.7)
    client.say(child, client.request("GET", "/organizations/v2.0/.well-known/openid-configuration", more="Connection: close\r\n"), 1.0)
    child.stdin.close()
    child.wait(10)
    early.write_text(client.request("POST", "/organizations/oauth2/v2.0/token", PASSWORD_FORM))
    child = client.s_client("-sess_in", str(session), "-early_data", str(early))
    time.sleep(1.5)
    client.say(child, "Q\n", 0.3)
    child.wait(10)


@silent("ropc-early-data-refused-tls13-h1", "A program sends its request as early data, the server asks for another group and takes none of it, so the program sends it again; it is answered 50076.", http=1, client="s_client", keys="front", tokens=[MFA], behind="nginx secp384r1")
def ropc_early_data_refused(client):
    session, early = client.lab.dir / "session", client.lab.dir / "early"
    child = client.s_client("-sess_out", str(session), "-groups", "P-384")
    time.sleep(0.7)
    client.say(child, client.request("GET", "/organizations/v2.0/.well-known/openid-configuration", more="Connection: close\r\n"), 1.0)
    child.stdin.close()
    child.wait(10)
    early.write_text(client.request("POST", "/organizations/oauth2/v2.0/token", PASSWORD_FORM))
    child = client.s_client("-sess_in", str(session), "-early_data", str(early), "-groups", "X25519:P-384")
    time.sleep(1.5)
    client.say(child, client.request("POST", "/organizations/oauth2/v2.0/token", PASSWORD_FORM), 1.0)
    client.say(child, "Q\n", 0.3)
    child.wait(10)


@silent("ropc-renegotiated-tls12-h1", "A program asks for metadata, shakes hands anew on the same connection, and is answered 50076.", tls="1.2", http=1, client="s_client", keys="beside", secure=RENEGOTIATION, tokens=[MFA])
def ropc_renegotiated(client):
    child = client.s_client("-tls1_2")
    time.sleep(0.7)
    client.say(child, client.request("GET", "/organizations/v2.0/.well-known/openid-configuration"))
    client.say(child, "R\n", 0.7)
    client.say(child, client.request("POST", "/organizations/oauth2/v2.0/token", PASSWORD_FORM))
    client.say(child, "Q\n", 0.3)
    child.wait(10)


PASSWORD_FORM = f"client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40&grant_type=password&username={USER['username'].replace('@', '%40')}&password=FAKESECRET-Passw0rd%212030&scope=openid"

# Something is missing.

denied("script-host-key-missing-tls13-h2", "Deny is pressed on the phone; the key log lacks the connection to the script host.", keys="front", lost=("secrets", CDN), service={**DENIED, **LEAN})(plain)
passed("application-key-missing-tls12-h1", "The push is approved; the key log lacks the connections to the application.", tls="1.2", http=1, keys="zip", lost=("secrets", APP), service={**APPROVED, **LEAN})(plain)
denied("hole-at-poll-tls12-h1", "Deny is pressed on the phone; the frame of the second poll's request is not in the capture.", tls="1.2", http=1, keys="front", ciphers="ECDHE-RSA-AES128-GCM-SHA256", lost=("request", "EndAuth", 1), service={**DENIED, **LEAN})(plain)
passed("hole-in-script-tls13-h1", "The push is approved; a frame in the middle of the first page's script is not in the capture.", http=1, keys="beside", lost=("body", "ConvergedLogin"), pad={CDN: 9000}, service={**APPROVED, **LEAN})(plain)
denied(
    "starts-at-polls-tls13-h1", "Deny is pressed on the phone; the capture starts at the second poll, on a connection whose handshake it does not have.", http=1, keys="front", lost=("start", "EndAuth", 1),
    packets={"outcome": "undetermined", "side": "cannot_tell", "mfa": None}, service={**DENIED, **LEAN})(plain)


@denied("starts-before-password-tls13-h2", "A program signs in, deny is pressed; the capture starts after the handshake of the first connection, the later ones are whole.", keys="end", client="curl", lost=("start", "authorize", 0), service={**push(4200, "PhoneAppDenied"), **LEAN})
def starts_before_password(client):
    client.script()


assert len({s["name"] for s in KEYED}) == len(KEYED)
