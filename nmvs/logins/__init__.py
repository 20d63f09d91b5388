"""Logins to the SOAP services: passwords and their life by the clock, locks, terms and conditions.
No wire format but the management port's. The rules are those of `emvs.login_rules`.
"""
