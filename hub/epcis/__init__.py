"""EPCIS 2.0, the capture interface: events of serialisation systems become the hub's messages.

Source: GS1 EPCIS 2.0 (OpenAPI of May 2023) and CBV 2.0. Which event becomes which message is our
choice: `hub.epcis.events`.
"""
