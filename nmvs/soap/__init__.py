"""The wire dialect of the Arvato-built national systems: SOAP 1.2, interface versions 4 and 5.

Bytes become a `PackRequest`, an `Answer` becomes bytes; no rule about packs stands here. The
order of a request is the order of the modules: `dialect` (HTTP) → `reader` (parser) → `envelope`
(message to call) → `codes` (outcome to return code) → `render` (reply). What exists is data:
`catalogue` (operations, versions, services), from which `schema` and `wsdl` derive the
definitions that requests are checked against and that clients are served.
"""
