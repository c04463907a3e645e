"""Spoil many records and hold producer and stream to one another: `make test-hostile`."""

import argparse
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult

from jobs.session import build_session
from tests.hostile.verdicts import CHUNK, Spoiled, differences, judged_by_stream, spoiled_records

WORKERS = 2


def main() -> int:
    """0 when nothing was lost, doubled, misread or judged in two ways that are not known; a JSON object says what."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N")
    parser.add_argument("--first-chunk", type=int, default=0, metavar="N", help="begin at this one of a seed's chunks")
    arguments = parser.parse_args()
    chunks = range(arguments.first_chunk, arguments.first_chunk + -(-arguments.records // CHUNK))
    began, kinds, verdicts = time.monotonic(), Counter[str](), Counter[str]()
    spark = build_session("hostile")
    for chunk, records in zip(chunks, _spoiled(arguments.seed, chunks), strict=True):
        sys.stderr.write(f"\rseed {arguments.seed}, chunk {chunk} of {chunks[-1]}")
        accepted, refused = judged_by_stream(spark, [record.raw for record in records])
        kinds.update(differences(records, accepted, refused))
        verdicts.update(
            f"producer {'refuses' if record.reasons else 'accepts'}, stream {'accepts' if i in accepted else 'refuses'}"
            for i, record in enumerate(records)
        )
    sys.stderr.write("\n")
    seconds = round(time.monotonic() - began)
    result = {"seed": arguments.seed, "records": verdicts.total(), "seconds": seconds, "verdicts": dict(verdicts)}
    sys.stdout.write(json.dumps({**result, "differences": dict(kinds.most_common())}) + "\n")
    return 0


def _spoiled(seed: int, chunks: range) -> Iterator[list[Spoiled]]:
    """The chunks in their order, made by processes of their own: the producer's check is Python."""
    waiting: deque[AsyncResult[list[Spoiled]]] = deque()
    with get_context("spawn").Pool(WORKERS) as pool:
        for chunk in chunks:
            waiting.append(pool.apply_async(spoiled_records, (seed, chunk, CHUNK)))
            if len(waiting) > WORKERS:
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()


if __name__ == "__main__":
    sys.exit(main())
