"""The Greek qualification test book as a suite that can be run: `pharmacy testbook`.

Cases are data (`single_cases`, `alert_cases`, `character_cases`, `bulk_cases`, `report_cases`);
`runner` carries them out, `judging` holds answers against what is expected, `report` keeps the
result. Which steps a case has is our proposal: the document itself is not public, only the names of
its cases and some of their content are known. What a step expects is from public sources on the
REST-built systems, never from what our own system answers.
"""
