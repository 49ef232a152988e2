"""Source guards: what is written in one place is true in the others."""
import re
import shutil
import subprocess

ROOMS = ["base", "torrentgen", "catalog", "tracker", "seeder", "command"]


def sources(top, *rooms):
    return [p for room in rooms for p in (top / room).glob("*.[ch]")]


def directives(top):
    return set(re.findall(r'AP_INIT_\w+\(\s*"(BTHTTP\w*)"', "".join(p.read_text() for p in sources(top, "module"))))


def test_directives_are_documented_and_documented_ones_exist(top):
    code = directives(top)
    assert len(code) > 15
    documented = re.findall(r"^#+ +`?(BTHTTP\w*)|^\| *`(BTHTTP\w*)", (top / "docs/directives.md").read_text(), re.M)
    assert {a or b for a, b in documented} == code
    assert set(re.findall(r"^#?(BTHTTP\w*)\b", (top / "conf/bthttp.conf").read_text(), re.M)) == code


def said_numbers(text):
    """The numbers of all messages in a source: of httpd's log with the number in the text, and of the log seam."""
    return [int(n) for n in re.findall(r'"BTH(\d{4}): ', text)] + \
           [int(n) for n in re.findall(r"\bbt_log\([^;,]*\bBT_LOG_\w+,\s*(\d+),", text)]


def test_message_numbers_are_unique_and_documented(top):
    text = "".join(p.read_text() for p in sources(top, *ROOMS, "module") if p.name != "log.h")
    calls = re.findall(r"^ +.*\bbt_log\(([^;]*)", text, re.M)
    odd = [call for call in calls if not re.match(r"[^;,]*\bBT_LOG_\w+,\s*\d+,", call)]
    assert not odd, "a level or number that is not written out"
    said = said_numbers(text)
    assert len(said) == len(set(said)), f"used twice: {sorted(n for n in set(said) if said.count(n) > 1)}"
    listed = [int(n) for n in re.findall(r"^\| *BTH(\d{4}) *\|", (top / "docs/errors.md").read_text(), re.M)]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(said)


def test_message_numbers_are_in_their_rooms_range(top):
    ranges = {"module": (1, 99), "catalog": (100, 199), "torrentgen": (200, 299), "tracker": (300, 399), "seeder": (400, 499)}
    for room, (low, high) in ranges.items():
        for path in sources(top, room):
            for number in said_numbers(path.read_text()):
                assert low <= number <= high, f"{path}: {number}"


HTTPD_HEADERS = re.compile(r'#\s*include\s*[<"](httpd|http_\w+|ap_\w+|util_\w+|mpm_\w+|unixd|mod_\w+|scoreboard)\.h')
BELOW = {"base": ["base"], "torrentgen": ["base", "torrentgen"], "catalog": ["base", "torrentgen", "catalog"],
         "seeder": ["base", "torrentgen", "catalog", "seeder"], "tracker": ["base", "tracker"],
         "command": ["base", "torrentgen", "catalog", "command"]}


def test_imports_run_one_way(top):
    for room, allowed in BELOW.items():
        for path in sources(top, room):
            text = path.read_text()
            assert not HTTPD_HEADERS.search(text), f"{path} includes a header of httpd"
            for included in re.findall(r'#\s*include\s*"(\w+)/', text):
                assert included in allowed, f"{path} includes {included}/"


def test_the_front_door_is_small(top):
    assert len((top / "mod_bthttp.c").read_text().splitlines()) < 150


def apxs(name):
    tool = shutil.which("apxs") or shutil.which("apxs2")
    return subprocess.run([tool, "-q", name], check=True, capture_output=True, text=True).stdout.strip()


def test_shipped_conf_parses_with_everything_uncommented(top, build, httpd_environment, box):
    lines = (top / "conf/bthttp.conf").read_text().splitlines()
    lines = [re.sub(r"^#(?=\s*BTHTTP|<)", "", line) for line in lines]
    assert len(re.findall(r"^\s*BTHTTP", "\n".join(lines), re.M)) > 15
    (box / "bthttp.conf").write_text("\n".join(lines) + "\n")
    (box / "httpd.conf").write_text(
        f'ServerRoot "{box}"\nServerName x\nListen 127.0.0.1:1\nErrorLog "error.log"\nPidFile "pid"\n'
        + "".join(f'LoadModule {m}_module "{apxs("LIBEXECDIR")}/mod_{m}.so"\n' for m in ("mpm_event", "authz_core"))
        + f'LoadModule bthttp_module "{build}/.libs/mod_bthttp.so"\nInclude "{box}/bthttp.conf"\n')
    run = subprocess.run([f"{apxs('SBINDIR')}/{apxs('PROGNAME')}", "-t", "-f", str(box / "httpd.conf")],
                         env=httpd_environment(box), capture_output=True, text=True)
    assert run.returncode == 0 and "Syntax OK" in run.stderr, run.stderr


def test_only_the_module_is_exported(build):
    run = subprocess.run(["nm", "-D", "--defined-only", str(build / ".libs/mod_bthttp.so")], check=True, capture_output=True,
                         text=True)
    names = {line.split()[-1] for line in run.stdout.splitlines()}
    names -= {"_init", "_fini", "_edata", "_end", "__bss_start"}
    assert {n for n in names if not n.startswith(("__asan", "__odr_asan", "__ubsan"))} == {"bthttp_module"}


def test_all_tests_are_shipped(top):
    """What `make dist` takes is what the makefiles name: no directory of tests is left out."""
    named = (top / "t/room.am").read_text()
    for name in ("t/httpd", "t/guards", "t/command", "t/npm", "t/pytest.ini", "t/conftest.py", ".ci/run", "dev"):
        assert re.search(rf"EXTRA_DIST \+=.*(?<!\S){re.escape(name)}(?!\S)", named), name


def test_nothing_is_skipped(top):
    for path in (top / "t").rglob("test_*.py"):
        if path.name != "test_guards.py":
            assert not re.search(r"pytest\.(skip|importorskip|xfail)|mark\.(skip|xfail)", path.read_text()), path


def test_directory_members_are_created_merged_and_defaulted(top):
    """A member that is forgotten in one of the three is inherited wrongly, and nobody notices."""
    header, code = (top / "module/config.h").read_text(), (top / "module/config.c").read_text()
    body = re.search(r"typedef struct \{(.*?)\} bth_dir_config;", header, re.S).group(1)
    members = re.findall(r"^ +[\w]+ (\*?)(\w+);", body, re.M)
    assert len(members) > 12
    for star, name in members:
        assert re.search(rf"INHERIT\({name}\)|merged->{name} = add->{name} \? add->{name} : base->{name};", code), name
        if not star:
            assert f"conf->{name} = BTH_UNSET;" in code, name
            assert f"DEFAULT({name}, " in code, name
