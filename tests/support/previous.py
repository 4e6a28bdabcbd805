# SPDX-License-Identifier: Apache-2.0
"""The release before this one, for tests that run both: built once, into BUILD/previous.

It is the commit that QUORATE_PREVIOUS names; without that the newest tag v* before HEAD; without one
the commit before HEAD, or HEAD itself where the sources differ from it. The repository is only read:
sources have a work tree and an index of their own, and what did not change is not built again.
"""
import contextlib
import fcntl
import os
import subprocess

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPTIONS = ("-Dtests=false", "-Dbench=false", "-Doptimization=1", "-Ddebug=false")


class Unavailable(Exception):
    """Why there is no release before this one."""


def git(*args, **env):
    try:
        done = subprocess.run(["git", "-C", SOURCE, *args], env=dict(os.environ, **env), text=True,
                              check=False, capture_output=True)
    except FileNotFoundError:
        raise Unavailable("git is not installed") from None
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def commit():
    """Its name in full."""
    code, top, error = git("rev-parse", "--show-toplevel")
    if code != 0:
        raise Unavailable("the sources are not a git repository: " + error.splitlines()[0])
    if os.path.realpath(top) != os.path.realpath(SOURCE):
        raise Unavailable("the sources are not a git repository of their own")
    name = os.environ.get("QUORATE_PREVIOUS")
    if not name:
        is_changed = git("diff", "--quiet", "HEAD")[0] != 0
        last = "HEAD" if is_changed else "HEAD~1"
        code, tag, _ = git("describe", "--tags", "--abbrev=0", "--match", "v*", last)
        name = tag if code == 0 else last
    code, found, _ = git("rev-parse", "--verify", "--quiet", name + "^{commit}")
    if code != 0:
        raise Unavailable(f"the history of this checkout has no {name} (is it shallow?)")
    return found


def check_out(place, name):
    """Only files that differ are written: the build sees by their times what is new."""
    source = os.path.join(place, "source")
    os.makedirs(source, exist_ok=True)
    code, _, error = git("--work-tree=" + source, "read-tree", "--reset", "-u", name,
                         GIT_INDEX_FILE=os.path.join(place, "index"))
    assert code == 0, error
    return source


def run(*words):
    done = subprocess.run(words, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-4000:]


def build(build_root):
    """Directory of its build, where cli/quorate and services/ are. Raises Unavailable."""
    name = commit()
    place = os.path.join(build_root, "previous")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, out = os.path.join(place, "commit"), os.path.join(place, "build")
        with contextlib.suppress(FileNotFoundError), open(stamp, encoding="ascii") as f:
            if f.read() == name:
                return out
        source = check_out(place, name)
        if not os.path.exists(os.path.join(out, "build.ninja")):
            run("meson", "setup", out, source, *OPTIONS)
        run("ninja", "-C", out, "-j", "2", "--quiet")
        with open(stamp, "w", encoding="ascii") as f:
            f.write(name)
    return out
