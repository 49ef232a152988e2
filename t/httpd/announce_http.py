"""Announces and scrapes over HTTP by a query of one's own, for tests of what clients say."""
from urllib.parse import quote

from bencode import decode
from httpd import WELL_KNOWN

OTHERS = [f"127.9.{i // 256}.{i % 256 + 1}" for i in range(300)]  # addresses of other peers


def ask(server, query, path="announce", **options):
    """The decoded answer; whatever is asked, it is 200, plain text and of the length that was said."""
    response = server.get(f"{WELL_KNOWN}/{path}?{query}", **options)
    assert response.status == 200, response
    assert response.header("Content-Type").startswith("text/plain")
    assert response.header("Content-Length") == str(len(response.body))
    return decode(response.body)


def base(server):
    """The beginning of a query for server.made."""
    return f"info_hash={quote(server.made.hash, safe='')}&peer_id=-XX0001-abcdefghijkl"


def scrape(server):
    """What a scrape says of server.made."""
    return server.scrape(server.made.hash)[b"files"][server.made.hash]


def numbers(complete, incomplete, downloaded=0, paused=0):
    """What a scrape says of such a swarm; the paused ones are among the incomplete (BEP 21)."""
    return {b"complete": complete, b"incomplete": incomplete, b"downloaded": downloaded, b"downloaders": incomplete - paused}


def peer_id(number):
    return b"-XX0001-%012d" % number
