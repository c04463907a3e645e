"""The contestants kafka-python and confluent-kafka: a file of ready keys and values sent by a bare client.

Run by the interpreter that has the client, so it uses nothing of this project's packages. The client has the settings
of `momo produce`, is connected once for all rounds, and a round is done when everything sent is acknowledged.

What they do NOT do, and `momo produce` does: read JSON, check it against the contract, find the key, keep what is
refused, keep count of each acknowledgement and save the position to resume from.
"""

import argparse
import sys
from pathlib import Path

from infra.bench.contestants.protocol import serve
from infra.bench.open_loop import FINISH_SECONDS, kafka_python, librdkafka

CLIENTS = {"kafka-python": kafka_python, "confluent-kafka": librdkafka}


def main() -> None:
    """Serve rounds until the input ends."""
    parser = argparse.ArgumentParser(prog="bare_producer.py", description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--topic", required=True, metavar="NAME")
    parser.add_argument("--client", required=True, choices=CLIENTS)
    parser.add_argument("--records", required=True, type=Path, metavar="FILE", help="lines of key TAB value")
    arguments = parser.parse_args()
    send, finish = CLIENTS[arguments.client](arguments.bootstrap, arguments.topic)

    def send_all(_folder: Path) -> None:
        with arguments.records.open("rb") as lines:
            for line in lines:
                key, value = line.rstrip(b"\n").split(b"\t", 1)
                send(key, value)
        if left := finish():
            sys.exit(f"Kafka has not acknowledged {left:,} records after {FINISH_SECONDS} s.")

    serve(send_all)


if __name__ == "__main__":
    main()
