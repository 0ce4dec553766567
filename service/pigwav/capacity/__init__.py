"""Limits of one process: uploads, downloads, memory, disk space, rates, and a user's quota.

These objects count; they are independent of HTTP and SQL. `admission` runs the checks of an upload in order.
"""
