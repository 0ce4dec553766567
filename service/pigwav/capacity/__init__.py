"""How much of everything one process takes on: uploads, downloads, memory, disk space, rates, and a user's quota.

These objects count; they know neither HTTP nor SQL. `admission` puts those that an upload meets in their order.
"""
