#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Show that each repository check goes red: small trees with one fault each.

usage: checks_can_fail.py
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
HEADER = "#ifndef H\n#define H\n#define QRT_API __attribute__((visibility(\"default\")))\nQRT_API int qrt_one(int a);\n#endif\n"
GOOD = "int qrt_one(int a);\nint qrt_one(int a) { return a; }\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.put("include/meson.build", "'quorate/one.h'\n")
        self.put("include/quorate/one.h", HEADER)
        self.put("cli/meson.build", "")
        self.put("lib/base/one.h", "#ifndef X\n#endif\n")
        self.put("lib/math/one.c", '#include "base/one.h"\n#include "quorate/one.h"\n')

    def tearDown(self):
        self.folder.cleanup()

    def put(self, path, text):
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")

    def run_check(self, script, *args):
        done = subprocess.run([sys.executable, str(HERE / script), str(self.root), *args],
                              capture_output=True, text=True)
        return done.returncode, done.stdout

    def expect(self, wanted, script, *args):
        code, text = self.run_check(script, *args)
        self.assertEqual(code, 1, text)
        self.assertIn(wanted, text)


class Lessons(Tree):
    def check(self, line, test="test_lesson_1_1_one"):
        self.put("docs/lessons.md", "# L\n## 1. Users\n1. **A**\n## 2. Findings\n| 1 | B |\n"
                 "## 3. Where\n| 1.1 | test_lesson_1_1_one |\n" + line)
        self.put("tests/test_a.c", "static void " + test + "(void **state)\n{\n}\n")
        return self.run_check("lessons.py")

    def test_rows_with_their_tests_pass(self):
        self.assertEqual(self.check("| 2.1 | later |\n"), (0, ""))

    def test_a_row_without_a_line_is_found(self):
        self.assertEqual(self.check(""), (1, "docs/lessons.md: row 2.1 has no line\n"))

    def test_a_row_without_a_test_is_found(self):
        self.assertEqual(self.check("| 2.1 | |\n"), (1, "docs/lessons.md: row 2.1 names no test\n"))

    def test_a_test_that_is_not_there_is_found(self):
        self.assertEqual(self.check("| 2.1 | test_two |\n"),
                         (1, "docs/lessons.md: row 2.1: there is no test_two\n"))

    def test_a_test_in_no_line_is_found(self):
        self.assertIn("test_lesson_1_1_two is not in the line of its row",
                      self.check("| 2.1 | later |\n", test="test_lesson_1_1_two")[1])


class Mutations(Tree):
    def run_fit(self):
        done = subprocess.run([sys.executable, str(self.root / "scripts/mutate.py"), "--fit",
                               "--only", "a row for this test"], capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_a_check_that_is_not_in_the_source_is_found(self):
        for script in (HERE.parent.parent / "scripts").glob("mutat*.py"):
            self.put(f"scripts/{script.name}", script.read_text(encoding="utf-8"))
        table = self.root / "scripts/mutations.py"
        row = ('CHECKS.append(check("x", "a row for this test", ("lib/math/one.c", "return a;", ""), '
               'tests=["x"]))\n')
        table.write_text(table.read_text(encoding="utf-8") + row, encoding="utf-8")
        self.put("lib/math/one.c", GOOD)
        self.assertEqual(self.run_fit(), (0, ""))
        self.put("lib/math/one.c", GOOD + GOOD)
        code, text = self.run_fit()
        self.assertEqual(code, 1)
        self.assertIn("2 places match: return a;", text)


class Includes(Tree):
    def test_a_clean_tree_passes(self):
        self.assertEqual(self.run_check("include_direction.py"), (0, ""))

    def test_an_arrow_upward_is_found(self):
        self.put("lib/base/two.c", '#include "math/one.h"\n')
        self.expect("lib/base must not include math/one.h", "include_direction.py")

    def test_a_service_that_includes_another_is_found(self):
        self.put("services/router/a.c", '#include "services/account/store.h"\n')
        self.expect("services/router must not include services/account/store.h",
                    "include_direction.py")

    def test_a_folder_of_system_that_reaches_up_is_found(self):
        self.put("system/db/a.c", '#include "system/rpc/server.h"\n')
        self.expect("system/db must not include system/rpc/server.h", "include_direction.py")

    def test_system_that_includes_a_party_is_found(self):
        self.put("system/rpc/a.c", '#include "participant/front.h"\n')
        self.expect("must not include participant/front.h", "include_direction.py")

    def test_the_inside_of_the_library_above_it_is_found(self):
        self.put("participant/a.c", '#include "lib/base/one.h"\n')
        self.expect("participant must not include lib/base/one.h", "include_direction.py")

    def test_arrows_that_point_down_pass(self):
        self.put("services/router/a.c", '#include "services/router/a.h"\n#include "session.pb-c.h"\n'
                                        '#include "participant/x.h"\n#include "system/rpc/y.h"\n')
        self.put("system/rpc/b.c", '#include "system/core/z.h"\n#include "quorate/one.h"\n')
        self.assertEqual(self.run_check("include_direction.py"), (0, ""))

    def test_input_and_output_in_lib_is_found(self):
        self.put("lib/proto/two.c", "#include <stdio.h>\n")
        self.expect("must not include stdio.h", "include_direction.py")

    def test_a_public_header_that_shows_the_inside_is_found(self):
        self.put("include/quorate/one.h", '#include "base/one.h"\n')
        self.expect("must not include base/one.h", "include_direction.py")

    def test_a_command_that_reaches_into_lib_is_found(self):
        self.put("cli/demo.c", '#include "base/one.h"\n')
        self.expect("cli must not include", "include_direction.py")

    def test_a_command_that_takes_more_of_the_system_or_a_service_is_found(self):
        for name in ("system/rpc/server.h", "system/core/../rpc/server.h", "participant/front.h",
                     "participant/restore.h", "system/vault/backup.h",
                     "services/account/store.h"):
            self.put(name, "")
            self.put("cli/demo.c", f'#include "{name}"\n')
            self.expect(f"cli must not include {name}", "include_direction.py")
        self.put("cli/demo.c", '#include "system/core/log.h"\n#include "system/access/identity.h"\n')
        self.put("cli/backup_one.c", '#include "participant/restore.h"\n')
        self.assertEqual(self.run_check("include_direction.py"), (0, ""))

    def test_a_header_that_is_not_installed_is_found(self):
        self.put("include/quorate/two.h", "")
        self.expect("not in include/meson.build", "include_direction.py")

    def test_a_conditional_outside_port_h_is_found(self):
        self.put("lib/math/two.c", "#if 1\n#endif\n")
        self.expect("#if belongs in", "include_direction.py")


class Headers(Tree):
    def test_a_clean_header_passes(self):
        self.assertEqual(self.run_check("headers.py")[0], 0)

    def test_a_header_that_needs_another_is_found(self):
        self.put("include/quorate/one.h", "uint8_t qrt_one(void);\n")
        self.expect("quorate/one.h with", "headers.py")


class Symbols(Tree):
    def build(self, text):
        source, obj = self.root / "x.c", self.root / "x.o"
        source.write_text(text, encoding="utf-8")
        self.a, self.so = str(self.root / "x.a"), str(self.root / "x.so")
        for command in (["cc", "-O1", "-fPIC", "-c", "-o", obj, source], ["ar", "rcs", self.a, obj],
                        ["cc", "-shared", "-o", self.so, obj]):
            subprocess.run([str(word) for word in command], check=True)

    def check(self, wanted, text):
        self.build(text)
        self.expect(wanted, "symbols.py", self.a, self.so, str(HERE / "nm-allowlist.txt"))

    def test_a_clean_library_passes(self):
        self.build(GOOD + "static const char *const names[] = {\"a\", \"b\"};\n"
                   "__attribute__((visibility(\"hidden\"))) const char *qrt_name(int i)"
                   " { return names[i]; }\n")
        self.assertEqual(self.run_check("symbols.py", self.a, self.so,
                                        str(HERE / "nm-allowlist.txt"))[0], 0)

    def test_the_heap_is_found(self):
        self.check("needs malloc", GOOD + "#include <stdlib.h>\n"
                   "void *qrt_two(void); void *qrt_two(void) { return malloc(9); }\n")

    def test_a_writable_global_is_found(self):
        self.check("writable data: counter", GOOD + "static int counter;\n"
                   "int qrt_two(void); int qrt_two(void) { return ++counter; }\n")

    def test_a_filled_writable_global_is_found(self):
        self.check("writable data: counter", GOOD + "static int counter = 7;\n"
                   "int qrt_two(void); int qrt_two(void) { return ++counter; }\n")

    def test_an_export_that_no_header_declares_is_found(self):
        self.check("not declared in a public header: qrt_two", GOOD + "int qrt_two = 1;\n")

    def test_a_declared_function_that_is_missing_is_found(self):
        self.check("but not exported: qrt_one", "int qrt_zero(void); int qrt_zero(void)"
                   " { return 0; }\n")

    def test_a_name_without_prefix_is_found(self):
        self.check("without the prefix qrt_: two", GOOD + "int two(void) { return 2; }\n")


if __name__ == "__main__":
    unittest.main()
