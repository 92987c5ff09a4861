"""Sizes and times of an import."""

import csv
import random
from dataclasses import dataclass, replace

BYTES_AROUND_A_RECORD = 4
"""A byte order mark before the header, and the byte that distinguishes CR from CRLF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read, kept and stored at once, and how long the importer waits.

    Attributes:
        block_bytes: Bytes that are parsed at once.
        block_lines: Lines that are parsed at once, so that memory is bounded where they are short.
        blocks_ahead: Parsed blocks that may wait for the database: each is about block_bytes of memory.
        max_record_bytes: Bytes of the longest record: twice the longest value of a column of type TEXT.
        max_record_lines: Physical lines of the longest record.
        sample_bytes: Bytes of the start of a file that tell whether it is in the encoding of its dataset.
        raw_length: Characters of a rejected record that are kept: csv_import_reject.raw_text holds no more.
        batch_rows: Rows after which a transaction ends: each commit waits for the disk.
        batch_rejects: Kept rejects after which it ends earlier: their text is in memory until then.
        batch_bytes: Bytes of the file after which it ends earlier: the server gives up on a client that has sent
            nothing for a minute, and there are files without a row to send.
        batch_pause: Seconds to wait for the next block before it ends earlier, for the same reason.
        session_bytes: Bytes of a file for each session that stores it at once with others: fewer are not worth the
            time to connect.
        idle: Seconds without a block after which a session says that it is still there: the server ends one that is
            idle for a minute, and what is before a position in a large compressed file takes longer to skip.
        whole_bytes: Bytes of the largest file that is checked and loaded in one transaction.
        grace: Seconds beyond the end of an invocation's time in which its first block may still arrive.
        remove_rows: Rows of an older version, in mode replace, that are removed in one transaction. What is more is
            removed in several, before the first rows of the newer one are stored.
        delete_rows: Old rejects of one DELETE statement, each a transaction.
        deletions: How many of these statements an import runs at most.
        insert_rows: Rows of one INSERT statement, where LOAD DATA cannot be used.
        lock_timeout: Seconds to wait for the lock of an object version: longer than the server keeps the
            session of a client that died.
        session_attempts: How often one of several sessions connects again without having stored anything.
        retry_timeout: Seconds for which transient errors are retried without any progress: a failover takes half
            of it. For a connection, where the server has none left, an import waits longer.
        row_lock_timeout: Seconds for which the server lets a statement wait for a row's lock.
    """

    block_bytes: int = 256 * 1024
    block_lines: int = 20_000
    blocks_ahead: int = 4
    max_record_bytes: int = 128 * 1024
    max_record_lines: int = 1000
    sample_bytes: int = 256 * 1024
    raw_length: int = 1000
    batch_rows: int = 50_000
    batch_rejects: int = 2_000
    batch_bytes: int = 32 * 1024 * 1024
    batch_pause: float = 5.0
    idle: float = 20.0
    session_bytes: int = 8 * 1024 * 1024
    whole_bytes: int = 4 * 1024 * 1024
    grace: float = 5.0
    remove_rows: int = 10_000
    delete_rows: int = 2_000
    deletions: int = 50
    insert_rows: int = 1000
    lock_timeout: float = 90.0
    session_attempts: int = 3
    retry_timeout: float = 90.0
    row_lock_timeout: int = 20

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is too small, alone or for another.
        """
        for name in self.__slots__:
            least = 0 if name in ("lock_timeout", "retry_timeout", "batch_pause", "grace") else 1
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: it has to be {least} or more")
        # Otherwise reading would never get past a record that is longer than a block.
        if self.block_bytes < self.max_record_bytes + BYTES_AROUND_A_RECORD:
            raise ValueError(
                f"block_bytes is {self.block_bytes}: it has to exceed max_record_bytes ({self.max_record_bytes})"
                f" by {BYTES_AROUND_A_RECORD} or more, since a block holds one record at least"
            )
        if self.block_lines <= self.max_record_lines:
            raise ValueError(
                f"block_lines is {self.block_lines}: it has to exceed max_record_lines ({self.max_record_lines})"
            )
        if self.max_record_bytes > csv.field_size_limit():
            raise ValueError(
                f"max_record_bytes is {self.max_record_bytes}: the csv module reads fields of"
                f" {csv.field_size_limit()} characters at most"
            )

    @property
    def row_by_row(self) -> "Limits":
        """These limits where rows are inserted, and the database may refuse each by itself: no block may take long."""
        return replace(
            self,
            block_lines=min(self.block_lines, self.max_record_lines + 1),
            batch_rows=min(self.batch_rows, self.batch_rejects),
        )


DEFAULTS = Limits()
"""The limits of the function."""


def pause_after(attempt: int) -> float:
    """Return how many seconds to wait after an attempt that failed, counted from 1.

    Full jitter: what failed together does not come back together.
    """
    return random.uniform(0.1, min(5.0, 0.1 * 2 ** min(attempt, 10)))  # noqa: S311
