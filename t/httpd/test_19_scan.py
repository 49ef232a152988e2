"""BTHTTPScan: torrents are made ahead of the first request, of what a stranger gets and of nothing else."""
import os
import shutil
import subprocess

import pytest

from bencode import Torrent
from waiting import wait_for

SIZE = 2 << 20
SMALL = 64 << 10
QUICK = "BTHTTPWait 0s\nBTHTTPMinSize 1K\n"


def scan(server):
    return server.status()["scan"]


def idle(server):
    """Waits until the scanner has walked and has nothing left to do; returns its figures."""
    def now():
        figures = scan(server)
        return figures if figures["state"] == "watching" and figures["walks"] > 0 and figures["queued"] == 0 else None
    return wait_for("the scan to come to rest", now, 60)


def is_ready(server, path):
    """Is the torrent there, without anybody having asked? (BTHTTPWait 0s: asking is not enough to get one.)"""
    return server.get(path + ".torrent").status == 200


def wait_ready(server, path):
    """Waits until the catalogue has it: a request would have it made, so nobody asks before the count says so."""
    assert is_ready(server, path), path


def wait_made(server, number):
    return wait_for(f"{number} torrents", lambda: server.status()["hashed_files"] == number and idle(server), 60)


def on(server, more=""):
    return f'{QUICK}<Directory "{server.docroot}">\nBTHTTPScan On\n{more}</Directory>\n'


@pytest.fixture
def scanned(httpd, content):
    """scanned({name: size}, conf=...): a server that scans its document root, with files that are there at its start."""
    def make(files, conf=None, more="", **options):
        server = httpd(start=False, **options)
        for seed, (name, size) in enumerate(files.items()):
            server.put(name, content(size, seed))
        server.write_conf(on(server, more) if conf is None else QUICK + conf.format(root=server.docroot))
        return server.start()
    return make


FILES = {"a.bin": SMALL, "deep/er/b.bin": SMALL, "with space & 100%.bin": SMALL, "été.bin": SMALL, "big.bin": SIZE}


def quoted(name):
    from urllib.parse import quote
    return "/" + quote(name)


# --- what is there

@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_files_that_are_there_at_the_start(scanned, mpm):
    server = scanned(dict(FILES, **{"tiny.bin": 100, "empty.bin": 0}), mpm=mpm)
    figures = wait_made(server, len(FILES))
    assert figures["made"] == len(FILES) and figures["failed"] == 0 and figures["found"] == len(FILES) + 2
    assert figures["roots"] == 1 and figures["unwatched"] == 0 and figures["watched"] == 3
    assert figures["bytes_left"] == 0 and figures["seconds_left"] == 0
    for name in FILES:
        wait_ready(server, quoted(name))
    assert not is_ready(server, "/tiny.bin")
    assert server.status()["hashed_files"] == len(FILES)
    assert "BTH0083: scan: 7 files below 1 directories: 5 torrents made, 0 failed" in server.log()


def test_without_it_nothing_is_made(scanned):
    server = scanned(FILES, conf="")
    server.get("/a.bin")
    assert scan(server)["state"] == "off" and scan(server)["roots"] == 0
    assert server.status()["torrents"] == 0


PLACES = {
    "the whole server": ("BTHTTPScan On", {"a.bin", "sub/b.bin", "sub/c/d.bin"}),
    "a directory": ('<Directory "{root}/sub">\nBTHTTPScan On\n</Directory>', {"sub/b.bin", "sub/c/d.bin"}),
    "above": ('<Directory "/">\nBTHTTPScan On\n</Directory>', {"a.bin", "sub/b.bin", "sub/c/d.bin"}),
    "a location": ('<Location "/sub/c">\nBTHTTPScan On\n</Location>', {"sub/c/d.bin"}),
    "off below": ('BTHTTPScan On\n<Directory "{root}/sub">\nBTHTTPScan Off\n</Directory>', {"a.bin"}),
    "on below off": ('BTHTTPScan On\n<Directory "{root}/sub">\nBTHTTPScan Off\n</Directory>\n'
                     '<Directory "{root}/sub/c">\nBTHTTPScan On\n</Directory>', {"a.bin", "sub/c/d.bin"}),
    "offered off": ('BTHTTPScan On\n<Location "/sub">\nBTHTTP Off\n</Location>', {"a.bin"}),
    "by name": ('BTHTTPScan On\n<Files "b.bin">\nBTHTTPScan Off\n</Files>', {"a.bin", "sub/c/d.bin"}),
}


@pytest.mark.parametrize("place", PLACES)
def test_where_it_may_be_said(scanned, place):
    conf, made = PLACES[place]
    server = scanned({"a.bin": SMALL, "sub/b.bin": SMALL, "sub/c/d.bin": SMALL}, conf=conf)
    wait_made(server, len(made))
    for name in made:
        wait_ready(server, "/" + name)
    assert scan(server)["roots"] == 1


def test_an_alias_by_its_location(httpd, content):
    server = httpd(start=False)
    outside = server.dir / "outside"
    outside.mkdir()
    (outside / "f.bin").write_bytes(content(SMALL))
    grant = f'Alias "/pub" "{outside}"\n<Directory "{outside}">\nRequire all granted\n%s</Directory>\n'
    server.write_conf(QUICK + grant % "BTHTTPScan On\n")
    server.expect("BTH0080")
    server.start()
    wait_for("the message", lambda: "is below no DocumentRoot, so that its URL is not known" in server.log())
    assert server.log().count("BTH0080") == 1, "once, not for each virtual host"
    server.write_conf(QUICK + grant % "" + '<Location "/pub/">\nBTHTTPScan On\n</Location>')
    server.graceful()
    wait_made(server, 1)
    wait_ready(server, "/pub/f.bin")


def test_sections_where_no_scan_can_begin(scanned):
    server = scanned({"a.bin": SMALL}, conf='<DirectoryMatch "{root}">\nBTHTTPScan On\n</DirectoryMatch>\n'
                     '<Directory "/x*/y">\nBTHTTPScan On\n</Directory>\n<Location "/a.bin">\nBTHTTPScan On\n</Location>\n')
    server.expect("BTH0080")
    wait_for("three messages", lambda: server.log().count("BTH0080") == 3)
    assert "a stranger finds no directory there" in server.log()


def test_virtual_hosts(httpd, content, tls):
    """Each file once, under the host that gives it to strangers."""
    server = httpd(start=False, tls=tls)
    other = server.dir / "other"
    other.mkdir()
    (other / "o.bin").write_bytes(content(SMALL, 1))
    server.put("f.bin", content(SMALL, 2))
    server.write_conf(QUICK + "BTHTTPScan On\n"
                      f'<VirtualHost *:{server.port}>\nServerName closed.test\n<Location "/">\nRequire all denied\n</Location>\n'
                      f'</VirtualHost>\n'
                      f'<VirtualHost *:{server.port}>\nServerName other.test\nDocumentRoot "{other}"\n'
                      f'<Directory "{other}">\nRequire all granted\n</Directory>\n</VirtualHost>')
    server.start()
    # f.bin: not by plain HTTP (closed.test is the first virtual host there), but by TLS.
    wait_for("both", lambda: server.log().count("BTH0404") == 2)
    assert server.get_tls("/f.bin.torrent").status == 200
    assert server.get("/o.bin.torrent", {"Host": "other.test"}).status == 200


def test_newest_first(scanned, content):
    server = scanned({}, conf="", level="info")
    for age in range(10):
        os.utime(server.put(f"{age}.bin", content(SMALL, age)), ns=(0, (1_700_000_000 - age) * 10**9))
    server.write_conf(on(server))
    server.graceful()
    wait_made(server, 10)
    made = [line.rsplit("/", 1)[1] for line in server.log().splitlines() if "BTH0404" in line]
    assert made == [f"{age}.bin" for age in range(10)]


def test_more_files_than_are_kept_in_memory(scanned, content, monkeypatch):
    monkeypatch.setenv("BTHTTP_SCAN_FILES", "7")
    server = scanned({f"{n % 3}/{n}.bin": SMALL for n in range(40)})
    assert wait_made(server, 40)["walks"] == 1


# --- what comes, changes and goes

def test_a_new_file(scanned, content):
    server = scanned({"a.bin": SMALL})
    wait_made(server, 1)
    with open(server.docroot / "written.bin", "wb") as file:
        file.write(content(SMALL, 1))
    wait_made(server, 2)
    wait_ready(server, "/written.bin")
    (server.dir / "elsewhere.bin").write_bytes(content(SMALL, 2))
    (server.dir / "elsewhere.bin").rename(server.docroot / "moved.bin")
    wait_made(server, 3)
    wait_ready(server, "/moved.bin")
    os.link(server.docroot / "moved.bin", server.docroot / "linked.bin")
    wait_for("the linked file", lambda: server.status()["torrents"] == 4, 60)


def test_a_changed_file(scanned, content):
    server = scanned({"a.bin": SMALL})
    wait_made(server, 1)
    first = server.torrent("/a.bin")
    with open(server.docroot / "a.bin", "r+b") as file:
        file.write(b"changed")
    wait_made(server, 2)
    assert is_ready(server, "/a.bin") and server.torrent("/a.bin").v1 != first.v1
    server.put("a.bin", content(SMALL, 9))
    wait_made(server, 3)


def test_a_file_that_goes(scanned):
    server = scanned({"a.bin": SMALL, "b.bin": SMALL, "d/c.bin": SMALL, "d/e/f.bin": SMALL})
    wait_made(server, 4)
    (server.docroot / "a.bin").unlink()
    wait_for("a.bin to be forgotten", lambda: server.status()["torrents"] == 3)
    (server.docroot / "b.bin").rename(server.dir / "b.bin")
    wait_for("b.bin to be forgotten", lambda: server.status()["torrents"] == 2)
    (server.docroot / "d").rename(server.dir / "d")
    wait_for("all of d to be forgotten", lambda: server.status()["torrents"] == 0)
    (server.dir / "d").rename(server.docroot / "new")
    wait_made(server, 6)
    wait_ready(server, "/new/e/f.bin")
    shutil.rmtree(server.docroot / "new")
    wait_for("all of new to be forgotten", lambda: server.status()["torrents"] == 0)


def test_new_directories(scanned, content):
    server = scanned({"a.bin": SMALL})
    wait_made(server, 1)
    server.put("x/y/z/new.bin", content(SMALL, 1))
    wait_made(server, 2)
    server.put("x/y/second.bin", content(SMALL, 2))
    wait_made(server, 3)
    tree = server.dir / "tree"
    (tree / "in").mkdir(parents=True)
    (tree / "in" / "t.bin").write_bytes(content(SMALL, 3))
    tree.rename(server.docroot / "tree")
    wait_made(server, 4)
    wait_ready(server, "/tree/in/t.bin")
    assert scan(server)["watched"] == 6


def test_the_directory_itself_goes_and_comes_back(scanned, content, monkeypatch):
    monkeypatch.setenv("BTHTTP_SCAN_PERIOD_MS", "100")
    server = scanned({"sub/a.bin": SMALL}, conf='<Directory "{root}/sub">\nBTHTTPScan On\n</Directory>')
    server.expect("BTH0085")
    wait_made(server, 1)
    (server.docroot / "sub").rename(server.docroot / "away")
    wait_for("it to be forgotten", lambda: server.status()["torrents"] == 0)
    server.put("sub/b.bin", content(SMALL, 1))
    wait_made(server, 2)
    wait_ready(server, "/sub/b.bin")


def test_without_watches_it_walks_now_and_then(scanned, content, monkeypatch):
    monkeypatch.setenv("BTHTTP_SCAN_PERIOD_MS", "100")
    monkeypatch.setenv("BTHTTP_SCAN_WATCHES", "2")
    server = scanned({"a.bin": SMALL, "d/b.bin": SMALL, "e/c.bin": SMALL, "f/g.bin": SMALL})
    wait_made(server, 4)
    assert scan(server)["watched"] == 2 and scan(server)["unwatched"] == 2
    wait_for("a second walk", lambda: scan(server)["walks"] >= 2)
    for number, name in enumerate(("d/new.bin", "e/new.bin", "f/new.bin")):
        server.put(name, content(SMALL, number + 10))
    wait_for("the new ones", lambda: server.status()["hashed_files"] == 7)
    for name in ("d", "e", "f"):
        (server.docroot / name / "new.bin").unlink()
    wait_for("them to be forgotten", lambda: server.status()["torrents"] == 4)
    assert server.log().count("BTH0085") == 1


# --- what is not for strangers

def test_protected_files_are_never_made(scanned, content):
    server = scanned({}, conf="")
    for name in ("a.bin", "htaccess/b.bin", "location/c.bin", "files/d.bin", "rewritten/e.bin", "transformed/f.shtml"):
        server.put(name, content(SMALL, len(name)))
    server.put("htaccess/.htaccess", b"Require all denied\n")
    server.write_conf(on(server) + '<Location "/location">\nRequire ip 127.0.0.1\n</Location>\n'
                      '<Files "d.bin">\nRequire local\n</Files>\n'
                      f'LoadModule rewrite_module "{libexec()}/mod_rewrite.so"\nLoadModule include_module "{libexec()}/mod_include.so"\n'
                      'RewriteEngine On\nRewriteRule "^/rewritten/" "/a.bin"\n'
                      '<Location "/transformed">\nSetOutputFilter INCLUDES\nOptions +Includes\n</Location>\n')
    server.graceful()
    wait_made(server, 1)
    assert server.status()["torrents"] == 1
    assert is_ready(server, "/a.bin")


def libexec():
    from httpd import apxs
    return apxs("LIBEXECDIR")


def test_htaccess_that_comes_and_goes(scanned):
    server = scanned({"d/a.bin": SMALL, "d/e/b.bin": SMALL, "c.bin": SMALL})
    wait_made(server, 3)
    hashes = server.torrent("/d/a.bin").v1
    server.put("d/.htaccess", b"Require all denied\n")
    wait_for("the withdrawal", lambda: b"failure reason" in server.announce(hashes))
    assert b"failure reason" in server.announce(server.torrent("/c.bin").v1) or is_ready(server, "/c.bin")
    (server.docroot / "d" / ".htaccess").unlink()
    wait_for("the publication", lambda: b"failure reason" not in server.announce(hashes))
    assert server.status()["hashed_files"] == 3, "nothing was hashed again"
    server.put("d/e/.htaccess", b"BTHTTPScan Off\n")
    server.put("d/e/new.bin", b"n" * SMALL)
    server.put("d/new.bin", b"m" * SMALL)
    wait_made(server, 4)
    assert is_ready(server, "/d/new.bin") and is_ready(server, "/d/e/b.bin")


def test_links(scanned, content):
    """Options decide about links, as for requests."""
    server = scanned({"a.bin": SMALL}, conf="")
    outside = server.dir / "outside"
    outside.mkdir()
    (outside / "o.bin").write_bytes(content(SMALL, 5))
    for name in ("follow", "owner", "never"):
        directory = server.docroot / name
        directory.mkdir()
        (directory / "own.bin").write_bytes(content(SMALL, len(name)))
        (directory / "dir").symlink_to(outside)
        (directory / "file.bin").symlink_to(outside / "o.bin")
        (directory / "loop").symlink_to("..")
        (directory / "self").symlink_to("self")
        (directory / "dangling").symlink_to("nowhere")
    if os.getuid() == 0:
        for path in (server.docroot / "owner" / "dir", server.docroot / "owner" / "file.bin"):
            os.lchown(path, 33, 33)  # not the target's owner
    server.write_conf(on(server) + f'<Directory "{outside}">\nRequire all granted\n</Directory>\n'
                      + "".join(f'<Directory "{server.docroot}/{name}">\nOptions {option}\nAllowOverride None\n</Directory>\n'
                                for name, option in (("follow", "FollowSymLinks"), ("owner", "SymLinksIfOwnerMatch"),
                                                     ("never", "None"))))
    server.graceful()
    idle(server)
    followed = 2 if os.getuid() == 0 else 4
    wait_for("all of them", lambda: server.status()["torrents"] >= 4 + followed)
    server.expect("AH00037")  # of these very requests; the stranger is silent
    for name in ("never/dir/o.bin", "never/file.bin"):
        assert server.get("/" + name).status == 403
    assert is_ready(server, "/follow/dir/o.bin") and is_ready(server, "/follow/file.bin")


def test_nasty_files(scanned, content):
    server = scanned({"good.bin": SMALL}, conf="")
    os.mkfifo(server.docroot / "fifo.bin")
    raw = os.fsencode(server.docroot)
    for name in (b"new\nline.bin", b"\xff\xfe.bin", b"n" * 251 + b".bin", b"q?#%41.bin", b"semi;colon.bin", b"a:b.bin"):
        with open(raw + b"/" + name, "wb") as file:
            file.write(content(SMALL, len(name)))
    server.put("unreadable.bin", content(SMALL, 77)).chmod(0)
    (server.docroot / "closed").mkdir()
    server.put("closed/x.bin", content(SMALL, 78))
    (server.docroot / "closed").chmod(0)
    server.write_conf(on(server))
    server.graceful()
    figures = wait_for("a walk", lambda: scan(server) if scan(server)["walks"] else None)
    assert server.status()["hashed_files"] == figures["made"] == 7 and figures["failed"] == 1, server.log()
    assert "BTH0084: scan: no torrent of" in server.log() and "unreadable.bin" in server.log()
    assert "scan: cannot look at" in server.log()
    for name in ("/%FF%FE.bin", "/q%3F%23%2541.bin", "/new%0Aline.bin", "/a:b.bin", "/semi;colon.bin"):
        wait_ready(server, name)
    (server.docroot / "closed").chmod(0o755)


# --- life

def test_graceful_restarts_go_on_where_it_was(scanned):
    server = scanned({f"{n}.bin": SMALL for n in range(300)}, more="")
    for _ in range(4):
        server.graceful()
    wait_for("all of them", lambda: server.status()["torrents"] == 300, 60)
    idle(server)
    hashed = server.status()["hashed_files"]
    server.graceful()
    wait_for("a walk of the new generation", lambda: scan(server)["walks"] == 1 and scan(server)["made"] == 0)
    assert server.status()["hashed_files"] == hashed


def test_kill_9_in_the_middle(scanned):
    server = scanned({f"{n}.bin": SMALL for n in range(400)})
    wait_for("some of them", lambda: server.status()["torrents"] > 20)
    old = server.kill_seeder()
    server.seeder(other_than=old)
    wait_for("all of them", lambda: server.status()["torrents"] == 400, 60)
    assert idle(server)["failed"] == 0


def test_a_stop_in_the_middle_is_quick(scanned):
    server = scanned({f"{n}.bin": SMALL for n in range(400)})
    wait_for("some of them", lambda: server.status()["torrents"] > 20)
    server.stop(timeout=10)


def test_a_request_jumps_the_queue(scanned, content):
    """The oldest of many: hours would pass, a request gets it at once."""
    server = scanned({}, conf="BTHTTPHashThreads 1")
    for number in range(6):
        with open(server.docroot / f"{number}.bin", "wb") as file:
            file.truncate(1 << 30)
        os.utime(server.docroot / f"{number}.bin", ns=(0, (1_700_000_000 - number) * 10**9))
    os.utime(server.put("last.bin", content(SMALL)), ns=(0, 1_600_000_000 * 10**9))
    server.write_conf(on(server) + "BTHTTPHashThreads 1")
    server.graceful()
    wait_for("the scan to begin", lambda: scan(server)["state"] == "making")
    server.torrent("/last.bin")
    assert scan(server)["queued"] > 0, "the others are still to be made"


def test_a_file_that_changes_while_it_is_hashed(scanned):
    """A writer that never closes: given up with a message, and made when it is at rest."""
    server = scanned({"a.bin": SMALL})
    wait_made(server, 1)
    with open(server.docroot / "busy.bin", "wb") as file:
        file.truncate(256 << 20)
        file.flush()
        os.link(server.docroot / "busy.bin", server.docroot / "seen.bin")  # told at once, while it is written
        for turn in range(10**9):
            file.seek(turn * 4096 % (256 << 20))
            file.write(b"x" * 4096)
            file.flush()
            if turn % 1000 == 0 and server.status()["hash_failures"] > 0:
                break
    (server.docroot / "seen.bin").unlink()
    wait_for("it to be made", lambda: server.status()["torrents"] == 2, 60)
    wait_ready(server, "/busy.bin")


def test_a_sidecar_that_comes_and_goes(scanned):
    """FILE.torrent that describes FILE takes the place of the torrent that was made, and gives it back."""
    server = scanned({"a.bin": SMALL})
    wait_made(server, 1)
    ours = server.torrent("/a.bin")
    subprocess.run(["mktorrent", "-l", "15", "-o", str(server.docroot / "a.bin.torrent"), str(server.docroot / "a.bin")],
                   check=True, stdout=subprocess.DEVNULL)
    (server.docroot / "a.bin.torrent").chmod(0o644)
    theirs = Torrent((server.docroot / "a.bin.torrent").read_bytes())
    assert theirs.v1 != ours.v1
    wait_for("the other torrent to be seeded", lambda: b"failure reason" not in server.announce(theirs.v1), 60)
    (server.docroot / "a.bin.torrent").unlink()
    wait_for("our own again", lambda: b"failure reason" not in server.announce(ours.v1), 60)
    assert scan(server)["failed"] == 0


# --- a full disk

def fill(server):
    """From now on the seeder's child cannot make the catalogue any larger. Returns what undoes it."""
    pid = server.status()["seeder_pid"]
    # Without a capability, only the child's own user may.
    user = {"user": "www-data", "group": "www-data", "extra_groups": []} if os.getuid() == 0 else {}

    def limit(size):
        subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:"], check=True, **user)
    limit((server.state_dir / "catalog.mdb").stat().st_size)
    return lambda: limit("unlimited")


@pytest.mark.parametrize("rest", ["100", "3600000"])
def test_a_full_disk(scanned, content, monkeypatch, rest):
    """What cannot be published is neither given up nor hashed over and over, and requests are served."""
    monkeypatch.setenv("BTHTTP_SCAN_FULL_MS", rest)
    server = scanned({"first.bin": SMALL}, more="BTHTTPPieceSize 16K\n")
    idle(server)
    make_room = fill(server)
    server.expect("BTH0104")
    for i in range(20):
        server.put(f"more{i}.bin", content(SIZE, 100 + i))
    wait_for("the disk to be full", lambda: "BTH0104" in server.log())
    wait_for("the scan to hold back", lambda: server.status()["hash_failures"] and server.status()["hashing"]["files"] == 0)
    assert server.get("/more7.bin").body == content(SIZE, 107)
    assert is_ready(server, "/first.bin")
    assert scan(server)["failed"] == 0 and scan(server)["queued"] > 0
    if rest == "100":
        make_room()
        wait_for("all torrents", lambda: server.status()["torrents"] == 21, 60)
        return
    server.stop()
    assert server.log().count("BTH0405") <= 20, "no file was hashed twice"
    server.start()  # without the limit
    wait_for("all torrents", lambda: server.status()["torrents"] == 21, 60)
    assert "BTH0100" not in server.log() and "BTH0105" not in server.log()


def test_what_fails_is_counted_once(scanned, content, monkeypatch):
    monkeypatch.setenv("BTHTTP_SCAN_PERIOD_MS", "100")
    monkeypatch.setenv("BTHTTP_SCAN_WATCHES", "0")
    server = scanned({"good.bin": SMALL, "bad.bin": SMALL}, conf="")
    (server.docroot / "bad.bin").chmod(0)
    server.write_conf(on(server))
    server.graceful()
    walks = wait_for("a walk", lambda: scan(server)["walks"])
    wait_for("more walks", lambda: scan(server)["walks"] > walks + 3, 60)
    assert scan(server)["failed"] == 1
    assert server.log().count("BTH0084") == 1
    (server.docroot / "bad.bin").write_bytes(content(SMALL, 9))  # another version, which fails as well
    wait_for("another failure", lambda: scan(server)["failed"] == 2, 60)


def test_a_file_whose_reading_fails(scanned, content):
    """The kernel says that this is a file of 4096 bytes, which anybody may read, and answers each read with EIO, as a failing disk
    does. Requests, scan and seed are not disturbed by it."""
    failing = "/sys/devices/system/cpu/power/autosuspend_delay_ms"
    with pytest.raises(OSError, match="Errno 5"), open(failing, "rb") as file:
        file.read()
    server = scanned({"good.bin": SMALL}, conf="")
    (server.docroot / "bad.bin").symlink_to(failing)
    server.write_conf(on(server) + "<Directory /sys>\nRequire all granted\n</Directory>\n")
    server.expect("BTH0403")
    server.graceful()
    wait_for("it to fail", lambda: scan(server)["failed"] == 1)
    figures = idle(server)
    assert figures["made"] == 1 and is_ready(server, "/good.bin")
    assert "BTH0403" in server.log() and "bad.bin could not be hashed" in server.log()
    wait_for("a request to be told", lambda: server.get("/bad.bin.torrent").status == 404)
    assert server.get("/good.bin").body == content(SMALL, 0)
