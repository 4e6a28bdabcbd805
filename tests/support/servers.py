#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, Redis and RabbitMQ for one command: every system that it starts by way of
tests/stack/support.py keeps its rows at the first, shares through the second, and its router is
connected to the third.

usage: servers.py COMMAND [ARGUMENT ...]

Exits as COMMAND did; 77, which is "skipped", where one of the servers is not installed.
"""
import json
import os
import signal
import subprocess
import sys

import postgres
import rabbitmq
import redis


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, too
    try:
        with postgres.Server() as rows, redis.Server() as shared, rabbitmq.Server() as broker:
            known = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(shared.port),
                     "REDIS_PASSWORD": shared.password}
            env = dict(rows.env(), STACK_REDIS=json.dumps(known),
                       STACK_RABBITMQ=json.dumps(broker.env()))
            return subprocess.run(sys.argv[1:], env=env, check=False).returncode
    except FileNotFoundError as e:
        print(e, file=sys.stderr)
        return 77


if __name__ == "__main__":
    sys.exit(main())
