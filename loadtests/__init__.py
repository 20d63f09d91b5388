"""Load tests and the benchmark. Meets the systems over HTTP only."""
