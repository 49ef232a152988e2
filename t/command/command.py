"""bthttp-torrentgen as a user runs it."""
import json
import os
import random
import subprocess


def environment(words):
    """The command becomes whom the state directory belongs to, and LeakSanitizer cannot look into a process that was another's."""
    owner = next((os.stat(path).st_uid for option, path in zip(words, words[1:]) if option == "--state-dir" and os.path.exists(path)),
                 os.getuid())
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"} if owner != os.getuid() else None


class Command:
    def __init__(self, build, box):
        self.program, self.box = str(build / "bthttp-torrentgen"), box

    def __call__(self, *words, code=0, **options):
        """Runs it in the box; it must end with that code. Returns the process, with text in stdout and stderr."""
        options.setdefault("cwd", self.box)
        options.setdefault("env", environment(words))
        run = subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=120, **options)
        run.stdout, run.stderr = (text.decode() for text in (run.stdout, run.stderr))
        assert run.returncode == code, f"{words}: {run.returncode}, not {code}\n{run.stdout}\n{run.stderr}"
        return run

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options).stdout)

    def lines(self, *words, **options):
        return [json.loads(line) for line in self(*words, "--json", **options).stdout.splitlines()]

    def start(self, *words, stderr=subprocess.PIPE, **options):
        return subprocess.Popen([self.program, *words], cwd=self.box, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=stderr, **options)


def fill(directory, sizes):
    """Writes files of those sizes, reproducibly. Names may be bytes."""
    for name, size in sizes.items():
        path = os.path.join(os.fsencode(directory), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(random.Random(f"{name} {size}").randbytes(size))
    return directory
