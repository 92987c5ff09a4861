-- One row for each rejected record, identified by the physical line on which it starts.
CREATE TABLE IF NOT EXISTS csv_import_reject (
    import_id BIGINT UNSIGNED NOT NULL,
    line_number BIGINT UNSIGNED NOT NULL,
    -- NULL where the error is not in one column.
    column_name VARCHAR(64) CHARACTER SET ascii NULL,
    reason VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
    -- The first 1000 characters; bytes that are not UTF-8 are written as \xNN.
    raw_text VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (import_id, line_number),
    CONSTRAINT csv_import_reject_import FOREIGN KEY (import_id) REFERENCES csv_import (id) ON DELETE CASCADE
) ENGINE=InnoDB;
