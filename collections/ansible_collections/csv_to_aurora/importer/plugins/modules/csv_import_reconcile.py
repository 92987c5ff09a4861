# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation only: the action plugin of the same name does the work.
"""List the object versions of a bucket that the ledger does not know, and have them imported."""

from __future__ import annotations

DOCUMENTATION = r"""
module: csv_import_reconcile
short_description: List the object versions of a bucket that the ledger does not know, and have them imported
description:
  - Lists the object versions of a bucket from the controller, and asks the importer's ledger, the table C(csv_import),
    for them with the client of the host, as the application.
  - With O(function), invokes the importer asynchronously with those that are missing, in events of up to ten. It sends
    no more than 500 object versions ahead of the imports that begin, so that no event waits in Lambda's queue for long.
  - The importer imports each object version once, however often it is sent.
  - Memory does not grow with the bucket.
version_added: "1.0.0"
author:
  - The csv-to-aurora authors (@csv-to-aurora)
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  prefix:
    description: Compare only objects whose keys begin like this. By default all.
    type: str
    default: ""
  suffixes:
    description: What the keys of files to import end in. Case matters, as it does to the bucket's notification.
    type: list
    elements: str
    required: true
  versions:
    description:
      - C(newest) compares the current version of each object, unless that is a delete marker.
      - C(all) compares older versions, too, and those behind a delete marker.
    type: str
    choices: [newest, all]
    default: newest
  older_than:
    description: Leave out what was uploaded less than so many minutes ago. Its event may be on its way.
    type: float
    default: 15
  datasets:
    description: The datasets, each with C(name) and C(key_prefix), to say which one takes an object.
    type: list
    elements: dict
    required: true
  function:
    description: Name or ARN of the importer. By default nothing is sent.
    type: str
    default: ""
  report:
    description:
      - Write all that are missing to this file of the controller, in check mode, too. Each line is JSON, in the form of
        RV(reconciled.first).
    type: path
    default: ""
  limit:
    description: How many of those that are missing are returned.
    type: int
    default: 100
  timeout:
    description: Seconds after which the task fails while nothing that was sent begins, and no other import gets on.
    type: float
    default: 900
  client:
    description:
      - Command on the host, as a list of arguments, that runs the statements of its standard input and prints each row
        as a line, unescaped, without the names of the columns.
      - By default, C(mysql) with its option file.
    type: list
    elements: str
  connection:
    description:
      - How to connect to AWS from the controller, with the keys C(region), C(profile), C(access_key), C(secret_key),
        C(session_token) and C(endpoint_url). What is empty is left to the AWS SDK.
    type: dict
    required: true
notes:
  - "Why this module: no module lists a bucket in pages, and a list of a million object versions has no
    room in memory. It reads this project's ledger and cannot go to another collection."
  - Needs C(s3:ListBucketVersions) on the bucket, and with O(function) C(lambda:InvokeFunction).
attributes:
  check_mode:
    description: Lists, and sends nothing.
    support: full
"""

EXAMPLES = r"""
- name: List what the ledger does not know
  csv_to_aurora.importer.csv_import_reconcile:
    bucket: customers
    suffixes: [.csv, .csv.gz]
    datasets: [{name: customer, key_prefix: ""}]
    connection: {region: eu-west-1}
  register: compared

- name: Have it imported
  csv_to_aurora.importer.csv_import_reconcile:
    bucket: customers
    suffixes: [.csv, .csv.gz]
    datasets: [{name: customer, key_prefix: ""}]
    function: importer
    connection: {region: eu-west-1}
"""

RETURN = r"""
reconciled:
  description: What was found and done.
  type: dict
  returned: success
  contains:
    versions:
      description: How many object versions there are whose keys end like that.
      type: int
    young:
      description: How many of them were left out, because their event may be on its way.
      type: int
    missing:
      description: How many of the others the ledger does not know.
      type: int
    missing_bytes:
      description: Their size.
      type: int
    without_dataset:
      description: How many of those that are missing no dataset takes. The importer records them as failed.
      type: int
    first:
      description: The first of those that are missing.
      type: list
      elements: dict
      sample:
        - bucket: customers
          key: März & Co.csv
          version_id: 3sL4kqtJlcpXroDTDmJ
          etag: d41d8cd98f00b204e9800998ecf8427e
          version_hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
          size_bytes: 1200
          modified: "2026-11-27T07:00:00Z"
          dataset: customer
    sent:
      description: How many were sent to the function.
      type: int
    events:
      description: In how many events.
      type: int
"""
