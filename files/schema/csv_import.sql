-- The ledger: one row for each object version. byte_offset and line_number are the position up to which the
-- file has been imported; they and the counts are committed together with the rows that they count.
CREATE TABLE IF NOT EXISTS csv_import (
    id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
    -- SHA-256 of bucket, key and version id, which together are too long for an index.
    version_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bucket VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    object_key VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version_id VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    etag VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    -- As in customer.import_file, which is shorter than a key may be.
    import_file VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- Empty where no dataset takes the key. Imports from before there were datasets are of customer.
    dataset VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'customer',
    -- checking: the share of rejects is counted before anything is loaded (MAX_REJECT_RATIO).
    status ENUM('checking', 'running', 'succeeded', 'failed') NOT NULL,
    size_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
    byte_offset BIGINT UNSIGNED NOT NULL DEFAULT 0,
    line_number BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_read BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_loaded BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_rejected BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rows_blank BIGINT UNSIGNED NOT NULL DEFAULT 0,
    -- Invocations that worked on this version, and the request id of the last one, to find it in the logs.
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    reason VARCHAR(1000) CHARACTER SET utf8mb4 NULL,
    started_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
    finished_at TIMESTAMP(3) NULL,
    UNIQUE KEY version_hash (version_hash),
    KEY status_started (status, started_at),
    KEY import_file (import_file),
    CONSTRAINT csv_import_counts CHECK (rows_read = rows_loaded + rows_rejected + rows_blank)
) ENGINE=InnoDB;
