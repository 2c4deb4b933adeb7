"""Where things are kept: business data in a database, file contents in a folder, messages in a log.

Rule: nothing of SQLAlchemy leaves this package; rows come out as frozen structs. Import the
modules themselves: loading this package must not load a driver.
"""
