"""What somebody might build instead, written as its documentation shows it, on the same work.

Verify and supply with the same checks (product, serial number, batch, expiry, state), an audit
entry for every request, durable before the answer. Needs the extra `peers`; nothing here is part
of our systems.
"""
