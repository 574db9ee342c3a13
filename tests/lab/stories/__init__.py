"""The stories of the lab and what each must be called, written down before any of them is recorded.

A label follows SPEC sections 4 and 5: a side network only where a host that the sign-in needs cannot be reached;
an encrypted sign-in over a healthy network is `unreadable` and accuses nobody. `has` and `lacks` are display
filters that prove the mechanism in the recording.
"""

from stories.label import STORIES

from stories import connections, handshakes, names, proxies, whole  # noqa: F401, E402

assert len({s["name"] for s in STORIES}) == len(STORIES)
__all__ = ["STORIES"]
