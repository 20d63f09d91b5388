"""Display texts of the REST dialect in other languages than English, one table for each."""
