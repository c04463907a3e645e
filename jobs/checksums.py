"""The checksum that Delta's protocol puts beside a commit: how large the table is then, its metadata and its protocol.

Spark writes one with each of its commits and delta-rs none; without it, Spark reads the whole state of the table anew
to follow it by a stream, a second and more for each commit.
"""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable


def write_checksum(folder: Path) -> None:
    """Put it beside the newest commit of the table in this folder. Who calls it holds the table."""
    delta = DeltaTable(folder)
    sizes = pa.table(delta.get_add_actions())["size_bytes"]
    checksum = {
        "tableSizeBytes": pc.sum(sizes).as_py() or 0,
        "numFiles": len(sizes),
        "numMetadata": 1,
        "numProtocol": 1,
        "metadata": _metadata(delta),
        "protocol": _protocol(delta),
    }
    path = folder / "_delta_log" / f"{delta.version():020d}.crc"
    # Whole or not at all, for readers do not wait for the table's lock.
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_text(json.dumps(checksum))
    os.rename(unfinished, path)


def _metadata(delta: DeltaTable) -> dict[str, Any]:
    metadata = delta.metadata()
    return {
        "id": str(metadata.id),
        "name": metadata.name,
        "description": metadata.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": delta.schema().to_json(),
        "partitionColumns": metadata.partition_columns,
        "configuration": metadata.configuration,
        "createdTime": metadata.created_time,
    }


def _protocol(delta: DeltaTable) -> dict[str, Any]:
    protocol = delta.protocol()
    features = {"readerFeatures": protocol.reader_features, "writerFeatures": protocol.writer_features}
    return {
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
        **{name: value for name, value in features.items() if value is not None},
    }
