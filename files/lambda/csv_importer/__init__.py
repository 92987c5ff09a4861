"""Loads CSV files that land in a bucket into MySQL, each version of a file exactly once."""
