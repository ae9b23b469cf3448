"""Results as a Parquet file: collected as record batches, which a killed job can continue, and then written at once."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from inkling.bulk.predictions import Results
from inkling.bulk.text_rows import printable
from inkling.digit import NUM_CLASSES

SCHEMA: Final = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("digit", pa.int8()),
        pa.field("confidence", pa.float32()),
        pa.field("probabilities", pa.list_(pa.float32(), NUM_CLASSES)),
        pa.field("digit_score", pa.float32()),
        pa.field("is_digit", pa.bool_()),
        pa.field("warnings", pa.list_(pa.string())),
        pa.field("error", pa.string()),
    ]
)
GROUP_ROWS = 1 << 17
"""Rows per row group: 5 MB in memory."""


def arrow_header() -> bytes:
    """Return the start of a stream of record batches (https://arrow.apache.org/docs/format/Columnar.html)."""
    return bytes(SCHEMA.serialize())


def arrow_rows(results: Results, threshold: float) -> bytes:
    """Return a record batch of SCHEMA; of an image that cannot be read only file, row and error."""
    count, positions = results.count, None if not results.errors else results.readable
    if isinstance(results.files, str):
        files = pa.repeat(pa.scalar(printable(results.files)), count)
    else:
        files = pa.array([printable(name) for name in results.files], pa.string())
    first = results.first_row
    rows = pa.nulls(count, pa.int64()) if first is None else pa.array(np.arange(first, first + count))
    errors = pa.nulls(count, pa.string())
    if results.errors:
        errors = pa.array([_or_none(results.errors.get(i)) for i in range(count)], pa.string())
    predicted = _predicted(results, threshold)
    if positions is not None:  # gaps where there is no prediction
        places = np.full(count, -1)
        places[positions] = np.arange(len(positions))
        indices = pa.array(places, mask=places < 0)
        predicted = [column.take(indices) for column in predicted]
    batch = pa.record_batch([files, rows, *predicted, errors], schema=SCHEMA)
    return bytes(batch.serialize())


def write_parquet(stream: Path, target: Path) -> None:
    """Write the record batches of a stream as a Parquet file, which is the same however they were divided.

    Raises:
        OSError: it cannot be written, such as on a full disk.
    """
    with (
        pa.memory_map(str(stream)) as source,
        pq.ParquetWriter(target, SCHEMA, compression="zstd", use_dictionary=["file"]) as writer,
    ):
        waiting: list[pa.RecordBatch] = []
        held = 0
        for batch in pa.ipc.open_stream(source):
            waiting.append(batch)
            held += len(batch)
            while held >= GROUP_ROWS:
                table = pa.Table.from_batches(waiting, SCHEMA)
                writer.write_table(table.slice(0, GROUP_ROWS).combine_chunks(), row_group_size=GROUP_ROWS)
                waiting = table.slice(GROUP_ROWS).to_batches()
                held -= GROUP_ROWS
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, SCHEMA).combine_chunks(), row_group_size=GROUP_ROWS)


def _predicted(results: Results, threshold: float) -> list[pa.Array]:
    """Return the columns from the digit to the warnings, of the images that were read."""
    predictions = results.predictions
    if predictions is None:
        return [pa.nulls(0, SCHEMA.field(i).type) for i in range(2, 8)]
    count = len(predictions.probabilities)
    digits = predictions.probabilities.argmax(axis=1).astype(np.int8)
    scores, are_digits = predictions.digit_scores, predictions.are_digits(threshold)
    warnings: Any = pa.array([list(some) for some in predictions.warnings], pa.list_(pa.string()))
    return [
        pa.array(digits),
        pa.array(predictions.probabilities.max(axis=1)),
        pa.FixedSizeListArray.from_arrays(pa.array(predictions.probabilities.reshape(-1)), NUM_CLASSES),
        pa.nulls(count, pa.float32()) if scores is None else pa.array(scores),
        pa.nulls(count, pa.bool_()) if are_digits is None else pa.array(are_digits),
        warnings,
    ]


def _or_none(text: str | None) -> str | None:
    return None if text is None else printable(text)
