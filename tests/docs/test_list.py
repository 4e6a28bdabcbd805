# SPDX-License-Identifier: Apache-2.0
"""No command of README.md and docs/ is left out: each block is run by a page's test or has its
reason in table.py, and no block hides from that by another form.

usage: test_list.py PAGE...: those that meson.build runs"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import pages
import table

HERE = sys.argv[1:]
ALL = sorted(os.path.relpath(p, pages.SOURCE) for p in glob.glob(pages.SOURCE + "/docs/*.md") +
             glob.glob(pages.SOURCE + "/*.md"))
# What a line begins with that somebody would type.
TYPED = re.compile(r"^(\$ .*|sudo .*|(\./)?(build/cli/)?(quorate(?! [0-9])|deploy\.sh|curl|make|meson|ninja|npm|npx"
                   r"|node|git|docker|kubectl|psql|createdb|pg_dump|openssl|apt(-get)?|python3) .*)$",
                   re.M)
LINK = re.compile(r"\]\(([^()#\s]*)(?:#([^()\s]*))?\)")
INDENTED = re.compile(r"\n\n((?: {4}.*\n)+)")


def reasons(page):
    return table.NOT_RUN.get(page, {})


class List(unittest.TestCase):
    def test_every_block_is_run_or_has_a_reason(self):
        for page in ALL:
            left = [b for b in pages.commands(page) if not b.text.startswith(tuple(reasons(page)))]
            with self.subTest(page):
                self.assertEqual(bool(left), page in HERE or page in table.RUN_BY,
                                 f"{page} has commands and no test that runs them, or the reverse: "
                                 "name it in tests/docs/meson.build, or tests/docs/table.py")
                self.assertFalse(page in HERE and page in table.RUN_BY)

    def test_what_the_list_names_is_there(self):
        for page in [*HERE, *table.RUN_BY, *table.NOT_RUN, *table.BEFORE]:
            self.assertIn(page, ALL)
        self.assertLessEqual(set(table.BEFORE), set(HERE))
        for page, begins in table.NOT_RUN.items():
            for begin in begins:
                self.assertTrue(any(b.text.startswith(begin) for b in pages.fences(page)),
                                f"{page} has no block that begins with {begin!r}")

    def test_other_tests_run_the_whole_page(self):
        for page, test in table.RUN_BY.items():
            text = pages.read(test)
            with self.subTest(page):
                self.assertTrue(f'Page("{page}")' in text and ".all_ran()" in text, test)

    def test_programs_shown_are_programs_run(self):
        """A fence of the word js shows lines of examples/node, which the pages' commands run."""
        sources = [pages.read(os.path.relpath(p, pages.SOURCE))
                   for p in glob.glob(pages.SOURCE + "/examples/node/*.mjs")]
        lines = ["\n".join(line.strip() for line in s.splitlines()) for s in sources]
        for block in (b for page in ALL for b in pages.fences(page) if b.words[:1] == ["js"]):
            shown = "\n".join(line.strip() for line in block.text.splitlines())
            self.assertTrue(any(shown in s for s in lines),
                            f"{block.page}:{block.line} is not in examples/node")

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_programs_say_in_one_line_what_they_take(self):
        """Without the packages, which only these modules of theirs need."""
        with tempfile.TemporaryDirectory() as place:
            for path in glob.glob(pages.SOURCE + "/examples/node/*.mjs"):
                shutil.copy(path, place)
            for name in ("check.mjs", "share.mjs"):
                names = re.findall(r"(?m)^export (?:const|function) (\w+)",
                                   pages.read("examples/node/" + name)) + ["hex", "sha256"]
                with open(os.path.join(place, name), "w", encoding="utf-8") as f:
                    f.writelines(f"export const {name} = 0;\n" for name in names)
            given = {f"QUORATE_{name}": "http://127.0.0.1:1" for name in ("URL", "SHARES_URL", "API_KEY")}
            for name in ("backend", "delegate", "own_intents"):
                usage = rf"; usage: (\w+=\.\.\. )+node {name}\.mjs (\w+\.pem )?IDENTITIES\.json\n\Z"
                for env, files, why in (({}, (), "QUORATE_URL is not set"),
                                        (given, (), "a file is missing"),
                                        (given, ("none",) * 2, "ENOENT: no such file .* 'none'"),
                                        (given, ("check.mjs",) * 2, ".*")):
                    p = subprocess.run(["node", name + ".mjs", *files], cwd=place, text=True, check=False,
                                       env={"PATH": os.environ["PATH"], **env}, capture_output=True)
                    self.assertRegex(p.stderr, rf"\A{why}{usage}")
                    self.assertEqual((p.returncode, p.stdout), (2, ""))

    def test_links_lead_somewhere(self):
        for page in ALL:
            for target, anchor in LINK.findall(re.sub(pages.FENCE, "", pages.read(page))):
                if target.startswith("http"):
                    continue
                path = os.path.normpath(os.path.join(os.path.dirname(page), target) if target else
                                        page)
                with self.subTest(page=page, link=f"{target}#{anchor}"):
                    self.assertTrue(os.path.exists(os.path.join(pages.SOURCE, path)))
                    if anchor and path.endswith(".md"):
                        text = re.sub(pages.FENCE, "", pages.read(path))
                        self.assertIn(anchor, {
                            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                            for heading in re.findall("^#+ (.*)$", text, re.M)})

    def test_the_index_has_every_page(self):
        named = {target for target, _ in LINK.findall(pages.read("docs/README.md"))}
        there = set(os.listdir(os.path.join(pages.SOURCE, "docs"))) - {"README.md"}
        self.assertEqual(there - named, set(), "docs/README.md does not name them")

    def test_no_command_hides_in_another_form(self):
        for page in ALL:
            for block in pages.fences(page):
                if block.words[:1] == ["sh"]:
                    self.assertIn(block.words[1:], ([], ["terminal"]), f"{page}:{block.line}")
                    continue
                if block.text.startswith(tuple(reasons(page))):
                    continue
                self.assertNotIn(block.words[:1], (["bash"], ["shell"], ["console"]),
                                 f"{page}:{block.line}: the word of commands is sh")
                self.assertIsNone(TYPED.search(block.text), f"{page}:{block.line} has commands: "
                                  "its word is sh")
            text = re.sub(pages.FENCE, "", pages.read(page))
            for found in INDENTED.findall(text):
                self.assertIsNone(TYPED.search(re.sub("^ {4}", "", found, flags=re.M)),
                                  f"{page} has commands without a fence:\n{found}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
