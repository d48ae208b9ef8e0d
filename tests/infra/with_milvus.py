"""Run a command beside one real Milvus: `python -m tests.infra.with_milvus pytest -n 2`.

The server's fixed ports allow only one, so test processes that run at once share it.
"""

import os
import subprocess
import sys

from .milvus_server import NoMilvus, serve


def main(command: list[str]) -> int:
    try:
        with serve() as server:
            address = {"MILVUS_TEST_URI": server.uri, "MILVUS_TEST_TOKEN": server.token}
            return subprocess.run(command, env={**os.environ, **address}, check=False).returncode
    except NoMilvus as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
