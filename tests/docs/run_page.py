#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the commands of a document in a fresh place, as pages.py says.

usage: QUORATE=.../quorate run_page.py docs/quickstart.md"""
import re
import sys

from pages import Page, Place
from table import BEFORE, NOT_RUN

SKIP = 77
NO_NETWORK = r"\b(ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENETWORK)\b"


def main():
    name = sys.argv[1]
    page, place = Page(name, NOT_RUN.get(name, ())), Place()
    try:
        BEFORE.get(name, lambda place: None)(place)
        for block, said in zip(page.blocks, page.run(place)):
            print(f"{block.page}:{block.line}\n{said}")
    except AssertionError as e:
        if "npm " in str(e) and re.search(NO_NETWORK, str(e)):
            print("skipped: the npm registry cannot be reached")
            sys.exit(SKIP)
        sys.exit(str(e))
    finally:
        place.close()
    page.all_ran()


if __name__ == "__main__":
    main()
