"""What our reports look like: a page's frame, tables and charts. Knows nothing of what they show.

Text that comes in is escaped here; cells of tables and bodies of pages are HTML already.
"""
