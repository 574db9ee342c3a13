"""How a story is labelled, and the display filters that the stories share."""

from lab import CDN, HOSTS, LOGIN

STORIES = []
AUTHORIZE = f"https://{LOGIN}/common/oauth2/v2.0/authorize?client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40&response_type=code"
SCRIPT = "/shared/1.0/content/js/ConvergedLogin_PCore_k1v0standinaaaa2.js"
AT = f"ip daddr {HOSTS[LOGIN]} tcp dport 443"
HELLO, SERVER_HELLO, RESET = "tls.handshake.type == 1", "tls.handshake.type == 2", "tcp.flags.reset == 1"
TO_LOGIN, FROM_LOGIN = "ip.dst == 20.190.160.14", "ip.src == 20.190.160.14"
NO_HELLO_BACK = f"{SERVER_HELLO} && {FROM_LOGIN}"
OPEN = f"tcp.flags == 0x012 && {FROM_LOGIN}"
DATA = f"tls.app_data && {FROM_LOGIN}"
NETWORK_RULES = ["DNS001", "DNS002", "DNS003", "DNS004", "TCP001", "TCP002", "TCP003", "TCP004", "PRX001", "PRX002", "PRX003", "PRX004", "PRX005", "PRX006", "TLS001", "TLS002", "TLS003", "TLS004", "TLS005", "TLS006", "TLS007"]


def told(outcome, side, host=None):
    def label(name, setup, text, expect=(), forbid=(), has=(), lacks=(), cut=False, covers=()):
        """`expect` are the findings that must be there, `forbid` those that must not be more than information; of rules in
        `covers` that are in none of them the story is a look-alike."""
        def add(play):
            roles = {rule: "positive" for rule in expect if side == "network"}
            roles |= {rule: "positive" if rule in expect else "look-alike" for rule in covers}
            STORIES.append({"name": name, "setup": setup, "text": text, "outcome": outcome, "side": side, "host": host, "expect": list(expect), "forbid": list(forbid), "covers": roles, "has": list(has), "lacks": list(lacks), "cut": cut, "play": play})
            return play
        return add
    return label


broken = told("sign_in_prevented_by_network", "network", LOGIN)
broken_scripts = told("sign_in_prevented_by_network", "network", CDN)
unreadable = told("unreadable", "cannot_tell")
undetermined = told("undetermined", "cannot_tell")


def healthy(name, setup, text, has=(), **more):
    """Unreadable, with every finding of the network forbidden and data from the sign-in host in the recording."""
    return unreadable(name, setup, text, forbid=NETWORK_RULES, has=[DATA, *has], **more)
