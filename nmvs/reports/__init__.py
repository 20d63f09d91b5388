"""What a national system tells in bulk: reports, product data, lists of alerts.

Made in the background, kept in the database until they expire. No wire format of a request enters
here; who may see what is in `nmvs.reports.definitions`.
"""
