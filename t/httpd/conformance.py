"""One face for every wire form and store of the tracker, so that what they share is tested once, over each of them.

A further form is a class with announce() and scrape() in FORMS; a further store is a line in STORES: what httpd's
configuration needs for it."""
import socket
from dataclasses import dataclass, field

import udp_tracker
from httpd import peers_of
from udp_tracker import Refused, UdpTracker, free_udp_port

EVENTS = {None: udp_tracker.NONE, "started": udp_tracker.STARTED, "completed": udp_tracker.COMPLETED,
          "stopped": udp_tracker.STOPPED, "paused": udp_tracker.PAUSED}
HOSTS = {4: "127.0.0.1", 6: "::1"}


@dataclass
class Answer:
    interval: int
    seeds: int
    leechers: int
    peers: set = field(default_factory=set)  # (address, port), of the asked family


class Form:
    """One wire form at one server, which listens on both families and has the port `udp`."""

    def __init__(self, server, family):
        self.server, self.family, self.host = server, family, HOSTS[family]
        self.itself = (self.host, server.port)

    def peer(self, number):
        """Where the number-th peer is: (address to ask from, port). Of IPv6 there is one loopback address alone."""
        return (f"127.6.{number // 200}.{number % 200 + 1}" if self.family == 4 else "::1", 7000 + number)

    def announce(self, info_hash, number=0, left=1, event=None, numwant=None):
        """What the number-th peer is told. @raises Refused with the reason"""
        raise NotImplementedError

    def scrape(self, *hashes):
        """[(seeds, completed, leechers)] in the order of the hashes; zeros for those that are not told of."""
        raise NotImplementedError


class Http(Form):
    name = "http"

    def _options(self):
        return {"address": (self.host, self.server.port)}

    def announce(self, info_hash, number=0, left=1, event=None, numwant=None):
        source, port = self.peer(number)
        raw = (f"&event={event}" if event else "") + (f"&numwant={numwant}" if numwant is not None else "")
        answer = self.server.announce(info_hash, port=port, left=left, peer_id=b"-XX0001-%012d" % number, raw=raw, source=source,
                                      **self._options())
        if b"failure reason" in answer:
            raise Refused(answer[b"failure reason"].decode())
        return Answer(answer[b"interval"], answer[b"complete"], answer[b"incomplete"],
                      peers_of(answer) if self.family == 4 else v6_peers_of(answer))

    def scrape(self, *hashes):
        files = self.server.scrape(*hashes, **self._options())[b"files"]
        return [tuple(files.get(h, {}).get(key, 0) for key in (b"complete", b"downloaded", b"incomplete")) for h in hashes]


class Udp(Form):
    name = "udp"

    def announce(self, info_hash, number=0, left=1, event=None, numwant=None):
        source, port = self.peer(number)
        with UdpTracker(self.host, self.server.udp, source) as tracker:
            answer = tracker.announce(info_hash, port=port, left=left, event=EVENTS[event],
                                      numwant=-1 if numwant is None else numwant, peer_id=b"-XX0001-%012d" % number)
        return Answer(answer["interval"], answer["seeds"], answer["leechers"], answer["peers"])

    def scrape(self, *hashes):
        with UdpTracker(self.host, self.server.udp) as tracker:
            return tracker.scrape(*hashes)


def v6_peers_of(answer):
    compact = answer.get(b"peers6", b"")
    return {(socket.inet_ntop(socket.AF_INET6, compact[i:i + 16]), int.from_bytes(compact[i + 16:i + 18], "big"))
            for i in range(0, len(compact), 18)}


FORMS = {"http4": (Http, 4), "http6": (Http, 6), "udp4": (Udp, 4), "udp6": (Udp, 6)}
STORES = {"shm": "", "redis": "BTHTTPTrackerStore {redis}"}  # the URL of one that runs


def serve(httpd, store="shm", conf="", redis=None):
    """A server that every form can ask: start it, then Form(server, family)."""
    server = httpd(start=False)
    server.udp = free_udp_port()
    server.base_conf = f"Listen [::1]:{server.port}\nBTHTTPTrackerUDP {server.udp}\n{STORES[store].format(redis=redis)}\n"
    server.write_conf(server.base_conf + conf)
    return server.start()
